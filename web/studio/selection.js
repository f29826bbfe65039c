/**
 * Which workspace is shown. Kept in the address by its `_id`, so that a reload and a bookmark find it again.
 * @param {() => BoardState} state
 * @param {() => void} changed
 */
export function createSelection(state, changed) {
  /** @type {string | undefined} */
  let key;
  /** Where in the board it was: when it goes, its neighbour takes its place. */
  let place = 0;
  /** The address asks for this one, which may not be loaded yet. @type {string | null} */
  let wanted = idInHash();

  addEventListener("hashchange", () => {
    wanted = idInHash();
    changed();
  });

  /** @param {readonly Workspace[]} workspaces */
  function settle(workspaces) {
    const asked = workspaces.find(({ _id }) => _id !== null && _id === wanted);
    if (asked) ({ key } = asked);
    else if (wanted !== null && !state().loaded) return;
    wanted = null;
    const found = workspaces.findIndex((one) => one.key === key);
    if (found >= 0) place = found;
    else key = workspaces[Math.min(place, workspaces.length - 1)]?.key;
  }

  return {
    /** The workspace that is shown, as the board is now. @returns {Workspace | undefined} */
    follow() {
      const { workspaces, loaded } = state();
      settle(workspaces);
      const workspace = workspaces.find((one) => one.key === key);
      if (workspace?._id) writeHash(workspace._id);
      else if (!workspace && loaded) writeHash(null);
      return workspace;
    },
    /** @param {string | null} next */
    select(next) {
      key = next ?? undefined;
      wanted = null;
      changed();
    },
  };
}

function idInHash() {
  return location.hash.slice(1) || null;
}

/** @param {string | null} id */
function writeHash(id) {
  if (idInHash() !== id) history.replaceState(null, "", id === null ? location.pathname + location.search : `#${id}`);
}
