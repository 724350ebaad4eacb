// Starts the program under test with an empty data folder, and ends it.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const START_MS = 120_000;

/** In `folder` where one before it has ended there, in an environment of more than the usual. */
export async function startProgram(more = {}, folder = mkdtempSync(join(tmpdir(), "pinhole-browser-"))) {
  const ready = join(folder, "ready");
  const log = openSync(join(folder, "log"), "w");
  const child = spawn(process.env.PINHOLE_BIN, ["serve"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      PINHOLE_LISTEN: "127.0.0.1:0",
      PINHOLE_DATA: join(folder, "data"),
      PINHOLE_READY_FILE: ready,
      PINHOLE_LOG_DAYS: "14",
      ...more,
    },
    stdio: ["ignore", log, log],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = await waitFor("the program to be ready", START_MS, () => {
    if (child.exitCode !== null) throw new Error(`it ended:\n${readFileSync(join(folder, "log"))}`);
    const written = existsSync(ready) ? readFileSync(ready, "utf8") : "";
    return written.endsWith("\n") && written.trim().replace(/\/$/, "");
  });
  const end = async () => {
    child.kill("SIGTERM");
    const code = await ended;
    if (code !== 0) throw new Error(`it ended with ${code}:\n${readFileSync(join(folder, "log"))}`);
    rmSync(ready);
  };
  const stop = async () => {
    await end();
    rmSync(folder, { recursive: true });
  };
  /** Ends it, and starts it again on the same data. */
  const again = async (more) => {
    await end();
    return startProgram(more, folder);
  };
  const printed = () => readFileSync(join(folder, "log"), "utf8");
  return { url, folder, stop, again, printed };
}

/** Waits until `condition` gives something true, and returns that. */
export async function waitFor(what, limitMs, condition) {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await pause(10);
  }
}
