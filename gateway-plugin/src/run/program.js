// The sidecar's program: its environment, and what its endings mean to a person.

const CODES = {
  2: "because its configuration is wrong",
  4: "because another sidecar owns this store",
  5: "because its store cannot be used",
};

/** The Gateway's own environment, with the state folder it really uses. */
export function childEnvironment(stateDir) {
  return { ...process.env, OPENCLAW_STATE_DIR: stateDir };
}

export function readableEnding(code, signal) {
  if (signal) return `was killed (${signal})`;
  return CODES[code] ? `ended with code ${code}, ${CODES[code]}` : `ended with code ${code}`;
}

export function missingProgram(program, error) {
  const why = error?.code === "ENOENT" ? "was not found" : `cannot be run (${error?.code})`;
  return (
    `the program ${program} ${why}; install the sidecar, or name its program in ` +
    "plugins.entries.voice-call-sidecar.config.sidecar.command"
  );
}
