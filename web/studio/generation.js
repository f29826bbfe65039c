import { t } from "./i18n.js";
import { recall, remember } from "./remember.js";
import { announce } from "./texts.js";

/** The last status of each workspace, by its key. @type {Map<string, Workspace["video"]["status"]>} */
const statuses = new Map();

/**
 * When generations began, by the workspace's id, since the backend doesn't tell: the moment at which this browser saw it; for one that
 * was running when the page was loaded, the workspace's last change.
 * @type {Starts}
 */
const starts = readStarts();

/** @type {Elapsed} */
export function elapsed(id) {
  const start = starts[id ?? ""];
  return start ? Math.max(0, (Date.now() - start.at) / 1000) : 0;
}

/** @type {FollowGenerations} */
export function followGenerations(workspaces) {
  for (const { key, _id, video, updated_at } of workspaces) {
    const { status, task_id } = video;
    const last = statuses.get(key);
    statuses.set(key, status);
    if (_id !== null && status === "generating") noteBegin(_id, task_id, last && last !== status ? Date.now() : Date.parse(updated_at));
    else if (_id !== null) noteEnd(_id);
    if (last === "generating" && (status === "completed" || status === "failed")) announce(t(`announce.${status}`));
  }
}

/** @type {NoteBegin} */
function noteBegin(id, task, at) {
  const known = starts[id];
  if (known && (known.task === task || task === null)) return;
  if (known?.task === null) known.task = task;
  else starts[id] = { task, at: Math.min(Date.now(), at || Date.now()) };
  keepStarts();
}

/** @type {NoteEnd} */
function noteEnd(id) {
  if (!starts[id]) return;
  delete starts[id];
  keepStarts();
}

function readStarts() {
  try {
    return JSON.parse(recall("generating") ?? "{}") ?? {};
  } catch {
    return {};
  }
}

function keepStarts() {
  remember("generating", Object.keys(starts).length ? JSON.stringify(starts) : null);
}
