// Runs the scenarios of video-polling.paths.json through an interpreter of the Amazon States Language that is not ours
// (npm aws-local-stepfunctions 3.0.0). The local stack's own interpreter has to agree with the same file, so that a
// misreading of the specification in it cannot go unnoticed just because its tests share the misreading.
//
//     node infra/checks/state-machine.mjs <directory that has node_modules> [<definition>]
//
// A scenario has
//   name          what happens in it
//   comment       (optional) for the reader
//   input         the input of the execution
//   answers       what the successive calls of the functions come to, no more and no fewer of them: an object with
//                 `error` and `cause` is a failure, `{"hangs": true}` a call that is never answered, and every other
//                 object the payload of an answer; `times` in any of them repeats it, and is no part of the payload
//   states        the names of the states entered, in order; a retry does not enter its state again
//   seconds       what the execution takes if the functions take no time: waits, delays before retries, timeouts
//   last_payload  the payload of the last call; absent if there is none
//   outcome       SUCCEEDED or FAILED
//   output        of the execution, if it has succeeded
//   error         its name, if the execution has failed

import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:';
const SUBSTITUTIONS = { PollVideoFunctionArn: `${ARN}poll-video`, KeepVideoFunctionArn: `${ARN}keep-video` };
// Which of them each task calls.
const CALLED = { Poll: `${ARN}poll-video`, Keep: `${ARN}keep-video`, GiveUp: `${ARN}poll-video` };
// No scenario comes near these: an execution that does goes round in circles, and is aborted.
const MOST_EVENTS = 10_000;
const MOST_SECONDS = 86_400;

// The library is written for Node 22, and this is all that Node 20 lacks.
Promise.withResolvers ??= () => {
  const resolvers = {};
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
  return resolvers;
};

const sibling = (path) => fileURLToPath(new URL(path, import.meta.url));

function readDefinition(path) {
  const text = readFileSync(path, 'utf8').replace(/\$\{(\w+)\}/g, (whole, name) => SUBSTITUTIONS[name] ?? whole);
  const unknown = text.match(/\$\{[^}]*\}?/);
  if (unknown) throw new Error(`${path}: no substitution for ${unknown[0]}`);
  return JSON.parse(text);
}

// Every transition that the definition allows, as "From > To".
function transitions(definition) {
  const targets = (node) =>
    Object.entries(node ?? {}).flatMap(([key, value]) => {
      if (typeof value === 'object') return targets(value);
      return key === 'Next' || key === 'Default' ? [value] : [];
    });
  return Object.entries(definition.States).flatMap(([name, state]) => targets(state).map((to) => `${name} > ${to}`));
}

// What the functions do in a scenario, as the handler of each task, and a record of how they were called.
function functions(tasks, answers) {
  const left = answers.flatMap(({ times = 1, ...answer }) => Array(times).fill(answer));
  const calls = [];
  const handler = (task) => async ({ FunctionName, Payload, ...rest }) => {
    deepStrictEqual({ task, FunctionName, rest }, { task, FunctionName: CALLED[task], rest: {} });
    calls.push(Payload);
    const answer = left.shift() ?? { error: 'NoAnswerLeft', cause: 'the scenario has no more answers' };
    if (answer.hangs) return new Promise(() => {});
    if (answer.error) throw Object.assign(new Error(answer.cause), { name: answer.error });
    // The library hands this on as it is; on AWS it is lambda:invoke that wraps the answer.
    return { ExecutedVersion: '$LATEST', Payload: answer, StatusCode: 200 };
  };
  return { handlers: Object.fromEntries(tasks.map((task) => [task, handler(task)])), calls };
}

async function run(machine, tasks, { input, answers }) {
  const { handlers: taskResourceLocalHandlers, calls } = functions(tasks, answers);
  // The clock is mocked instead of the library's overrides of waits and delays: those would skip the very fields that
  // say how long, and whether SecondsPath finds anything.
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const execution = machine.run(input, { overrides: { taskResourceLocalHandlers } });
    const events = [];
    const record = async () => {
      for await (const event of execution.eventLogs) if (events.push(event) === MOST_EVENTS) execution.abort();
    };
    let running = true;
    // How it ended is among the events.
    Promise.allSettled([execution.result, record()]).then(() => (running = false));
    let seconds = 0;
    // A turn of the event loop lets everything happen that needs no time.
    await setImmediate();
    while (running) {
      if (seconds === MOST_SECONDS) execution.abort();
      mock.timers.tick(1000);
      seconds += 1;
      await setImmediate();
    }
    const last = events.at(-1);
    const actual = {
      states: events.filter(({ type }) => type === 'StateEntered').map(({ state }) => state.name),
      seconds,
      calls: calls.length,
      ...(calls.length > 0 && { last_payload: calls.at(-1) }),
      outcome: last.type.replace('Execution', '').toUpperCase(),
      ...('output' in last && { output: last.output }),
      ...('Error' in last && { error: last.Error }),
    };
    // The library repeats the name of a timeout as its cause, which is empty on AWS.
    const isTimeout = (value) => value?.Error === 'States.Timeout' && value.Cause === 'States.Timeout';
    return JSON.parse(JSON.stringify(actual), (_, value) => (isTimeout(value) ? { ...value, Cause: '' } : value));
  } finally {
    mock.timers.reset();
  }
}

async function main([directory, path = sibling('../video-polling.asl.json')]) {
  if (!directory) throw new Error('usage: state-machine.mjs <directory that has node_modules> [<definition>]');
  const { StateMachine } = createRequire(join(resolve(directory), 'package.json'))('aws-local-stepfunctions');
  const definition = readDefinition(path);
  // This checks the definition against its schema, too.
  const machine = new StateMachine(definition);
  const tasks = Object.keys(definition.States).filter((name) => definition.States[name].Type === 'Task');
  const scenarios = JSON.parse(readFileSync(sibling('video-polling.paths.json'), 'utf8'));
  const missing = new Set(transitions(definition));
  let failures = 0;
  for (const { name, comment, input, answers, ...expected } of scenarios) {
    expected.calls = answers.reduce((sum, { times = 1 }) => sum + times, 0);
    try {
      const actual = await run(machine, tasks, { input, answers });
      actual.states.forEach((state, index) => missing.delete(`${actual.states[index - 1]} > ${state}`));
      deepStrictEqual(actual, expected);
      console.log(`ok    ${name}`);
    } catch (error) {
      failures += 1;
      console.log(`FAIL  ${name}\n${error.message}`);
    }
  }
  if (scenarios.length === 0) throw new Error('there are no scenarios');
  if (failures > 0) throw new Error(`${failures} of ${scenarios.length} scenarios went otherwise`);
  if (missing.size > 0) throw new Error(`no scenario goes ${[...missing].join(', ')}`);
  console.log(`${scenarios.length} scenarios agree`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`state-machine: ${error.message}`);
  process.exitCode = 1;
});
