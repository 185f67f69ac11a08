// Commands that concern this machine and no running sidecar: the sidecar's own program does them.

import { spawn } from "node:child_process";

import { missingProgram } from "../run/program.js";
import { Failure, UNREACHABLE } from "./gateway.js";

/** Runs `voicecall <name>` with the same options; gives its exit code. */
export function runProgram({ command: [program, ...before] }, name, given) {
  const options = Object.entries(given).flatMap(([key, value]) => {
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? [flag] : [flag, String(value)];
  });
  const child = spawn(program, [...before, name, ...options], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Failure(missingProgram(program, error), UNREACHABLE)));
    child.once("close", (code) => resolve(code ?? 1));
  });
}
