// The timers of a hidden tab are slowed down, those of its workers are not.

/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;

self.onmessage = ({ data }) => {
  clearInterval(timer);
  timer = setInterval(() => self.postMessage(null), data);
};
