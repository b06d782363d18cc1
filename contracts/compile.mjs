// Compiles src/ with the pinned npm solc and writes artifacts/<Name>.json, one for each contract that can be deployed.
// `--check` writes nothing and fails when a committed artifact is not what the sources compile to.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const root = dirname(fileURLToPath(import.meta.url));
const artifacts = join(root, "artifacts");
const settings = {
  evmVersion: "london",
  optimizer: { enabled: true, runs: 10000 },
  metadata: { bytecodeHash: "none" },
};

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sources(path);
      return entry.name.endsWith(".sol") ? [path] : [];
    })
    .sort();
}

function compile() {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(
      sources(join(root, "src")).map((path) => [
        relative(root, path).replaceAll("\\", "/"),
        { content: readFileSync(path, "utf8") },
      ]),
    ),
    settings: {
      ...settings,
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const complaints = output.errors ?? [];
  for (const complaint of complaints) console.error(complaint.formattedMessage);
  if (complaints.length > 0) throw new Error(`${complaints.length} errors or warnings`);
  return output.contracts;
}

// The compiler numbers types by syntax-tree node; the numbers change with any edit anywhere, so they are left out.
function layout({ storage, types }) {
  const plain = (type) => type.replace(/\)\d+_/g, ")_");
  return {
    storage: storage.map(({ label, slot, offset, type }) => ({ label, slot, offset, type: plain(type) })),
    types: Object.fromEntries(
      Object.entries(types ?? {}).map(([name, { label, numberOfBytes, members }]) => [
        plain(name),
        {
          label,
          numberOfBytes,
          ...(members && {
            members: members.map(({ label, slot, offset, type }) => ({ label, slot, offset, type: plain(type) })),
          }),
        },
      ]),
    ),
  };
}

function rendered(contracts) {
  const files = new Map();
  for (const [source, named] of Object.entries(contracts)) {
    for (const [contractName, { abi, evm, storageLayout }] of Object.entries(named)) {
      const deployable = evm.bytecode.object !== "" && !source.startsWith("src/libraries/");
      if (!deployable) continue;
      const artifact = {
        contractName,
        source,
        compiler: { version: solc.version(), settings },
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
        storageLayout: layout(storageLayout),
      };
      files.set(`${contractName}.json`, `${JSON.stringify(artifact, null, 2)}\n`);
    }
  }
  return files;
}

const files = rendered(compile());
const present = existsSync(artifacts) ? readdirSync(artifacts) : [];
const strangers = present.filter((name) => !files.has(name));

if (process.argv.includes("--check")) {
  const stale = [...files]
    .filter(([name, text]) => !present.includes(name) || readFileSync(join(artifacts, name), "utf8") !== text)
    .map(([name]) => name);
  for (const name of stale) console.error(`artifacts/${name} is not what the sources compile to: npm run compile`);
  for (const name of strangers) console.error(`artifacts/${name} belongs to no contract`);
  if (stale.length + strangers.length > 0) process.exit(1);
  console.log(`${files.size} artifacts match their sources`);
} else {
  mkdirSync(artifacts, { recursive: true });
  for (const name of strangers) rmSync(join(artifacts, name));
  for (const [name, text] of files) writeFileSync(join(artifacts, name), text);
  console.log(`${files.size} artifacts written`);
}
