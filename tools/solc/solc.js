#!/usr/bin/env node
/*
 * A `solc` executable over the compiler that npm ships (package `solc`, "soljson").
 *
 * Build tools expect a native binary with a file system behind it; soljson is a function from
 * JSON to JSON. This file closes the gap for what Ape, forge and slither call:
 *
 *   solc --version
 *   solc --standard-json [--base-path P] [--include-path P]... [--allow-paths P,P] [file|-]
 *
 * It reads imports like the native compiler does: base path first, then each include path, then
 * the name as an absolute path, and only from below a path that was allowed. The output for a
 * given input is that of the native compiler of the same version, only slower.
 */
"use strict";

const fs = require("node:fs");
const path = require("node:path");

// Flags that native solc accepts beside --standard-json and that change nothing here.
const IGNORED_FLAGS = new Set(["--no-color", "--color", "--pretty-json", "--no-import-callback"]);

function fail(message) {
  fs.writeSync(2, `Error: ${message}\n`);
  process.exit(1);
}

const toPath = (name) => path.resolve(name);

/** Split the command line into a mode, an input file and the paths that imports may come from. */
function parseArguments(argv) {
  const options = { mode: null, input: null, basePath: null, includePaths: [], allowPaths: [] };
  const rest = argv.flatMap((word) =>
    word.startsWith("--") && word.includes("=") ? word.split(/=(.*)/s).slice(0, 2) : [word],
  );
  while (rest.length > 0) {
    const word = rest.shift();
    const value = () => (rest.length > 0 ? rest.shift() : fail(`${word} needs a value`));
    if (word === "--version") options.mode = "version";
    else if (word === "--standard-json") options.mode = "standard-json";
    else if (word === "--base-path") options.basePath = toPath(value());
    else if (word === "--include-path" || word === "-I") options.includePaths.push(toPath(value()));
    else if (word === "--allow-paths") {
      options.allowPaths.push(...value().split(",").filter(Boolean).map(toPath));
    } else if (IGNORED_FLAGS.has(word)) continue;
    else if (word === "-" || !word.startsWith("-")) options.input = word;
    // py-solc-x recognises this wording and names the flag to its caller.
    else fail(`unrecognised option '${word}'`);
  }
  return options;
}

/** True when `file` lies below `directory`, after resolving symbolic links in both. */
function isBelow(file, directory) {
  const relative = path.relative(realPath(directory), realPath(file));
  return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative));
}

function realPath(name) {
  try {
    return fs.realpathSync(name);
  } catch {
    return path.resolve(name);
  }
}

/** Build the callback that soljson calls for each source it was not given. */
function buildReadCallback(options, remappings) {
  const base = options.basePath ?? process.cwd();
  const roots = [base, ...options.includePaths];
  // As in native solc, the target of a remapping is readable without being named again.
  const targets = remappings
    .map((entry) => entry.slice(entry.indexOf("=") + 1))
    .filter(Boolean)
    .map((target) => path.resolve(base, target));
  const allowed = [...roots, ...options.allowPaths, ...targets];

  return function readSource(name) {
    const plain = name.startsWith("file://") ? name.slice("file://".length) : name;
    const candidates = path.isAbsolute(plain)
      ? [plain]
      : roots.map((root) => path.join(root, plain));
    for (const candidate of candidates) {
      if (!fs.statSync(candidate, { throwIfNoEntry: false })?.isFile()) continue;
      if (!allowed.some((directory) => isBelow(candidate, directory))) {
        return { error: `File outside of allowed directories: ${candidate}` };
      }
      return { contents: fs.readFileSync(candidate, "utf8") };
    }
    return { error: `File not found. Searched: ${candidates.join(", ")}` };
  };
}

/** Write all of `text`: stdout may be a full pipe, and leaving early would cut it at 64 kB. */
function writeAll(text) {
  const bytes = Buffer.from(text, "utf8");
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += fs.writeSync(1, bytes, offset);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function compile(options) {
  const fromStdin = options.input === null || options.input === "-";
  const text = fs.readFileSync(fromStdin ? 0 : options.input, "utf8");
  let remappings = [];
  try {
    remappings = JSON.parse(text).settings?.remappings ?? [];
  } catch {
    // soljson reports malformed JSON in its own format, which callers already understand.
  }
  const solc = require("solc");
  writeAll(`${solc.compile(text, { import: buildReadCallback(options, remappings) })}\n`);
}

/**
 * Print the version in the shape of the native binary.
 *
 * Tools ask for it many times in one build and soljson takes about a second to load, so the
 * answer is kept beside the link that started us, and dropped when the npm package changes.
 */
function printVersion() {
  const manifest = require.resolve("solc/package.json");
  const cache = path.join(path.dirname(process.argv[1]), ".version.json");
  const stamp = fs.statSync(manifest).mtimeMs;
  let version = null;
  try {
    const kept = JSON.parse(fs.readFileSync(cache, "utf8"));
    if (kept.stamp === stamp && kept.manifest === manifest) version = kept.version;
  } catch {
    // No cache yet, or an unreadable one: ask the compiler.
  }
  if (version === null) {
    version = require("solc").version();
    try {
      fs.writeFileSync(cache, JSON.stringify({ manifest, stamp, version }));
    } catch {
      // A read-only folder costs time, not correctness.
    }
  }
  writeAll(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
}

const options = parseArguments(process.argv.slice(2));
if (options.mode === "version") printVersion();
else if (options.mode === "standard-json") compile(options);
else fail("this compiler answers only --version and --standard-json");
