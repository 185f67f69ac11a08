// One sidecar per Gateway: a plugin is registered many times in one process, and loaded from several
// copies of its code, but all of them share this.

const KEY = Symbol.for("voice-call-sidecar.house");

// A Gateway takes requests a moment before it starts its services.
const START_MS = 5_000;

function shared() {
  globalThis[KEY] ??= { house: null, owner: null, mark: null, began: false, work: Promise.resolve() };
  return globalThis[KEY];
}

/** The house that is open now, or null. */
export function current() {
  return globalThis[KEY]?.house ?? null;
}

/** The open house; in a process whose service has not begun yet, waited for. Null without one. */
export async function awaited(ms = START_MS) {
  const state = shared();
  const until = Date.now() + ms;
  while (!state.house && !state.began && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return state.house;
}

/** Opens a house for `owner`, or takes over the open one when it has the same `mark`. */
export function open(owner, mark, make) {
  return inTurn(async (state) => {
    state.owner = owner;
    if (state.house && state.mark === mark) return state.house;
    await state.house?.stop();
    state.house = null;
    state.house = make();
    state.began = true;
    state.mark = mark;
    return state.house;
  });
}

/** Closes the house unless another registration has taken it over. */
export function close(owner) {
  return inTurn(async (state) => {
    if (state.owner !== owner) return;
    const { house } = state;
    state.house = state.owner = state.mark = null;
    await house?.stop();
  });
}

function inTurn(work) {
  const state = shared();
  const done = state.work.then(() => work(state));
  state.work = done.catch(() => {});
  return done;
}
