/**
 * Where the studio finds its backend, and how people sign in: the one file that a team edits. What each option is for, with examples, is
 * said in `Config` of studio/types.d.ts.
 *
 * @type {Config}
 */
export default {
  api: "",
  socket: "",
  conflicts: "overwrite",
  getToken: undefined,
};
