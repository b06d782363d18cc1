// Writes the gas table of README.md from snapshots/, which the gas tests keep. `--check` writes nothing and fails when
// they differ.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const readme = join(root, "README.md");
const [begin, end] = ["<!-- gas: npm run gas -->", "<!-- /gas -->"];

function table() {
  const lines = ["| contract | change | gas |", "|---|---|---:|"];
  for (const file of readdirSync(join(root, "snapshots")).sort()) {
    const group = file.replace(/\.json$/, "");
    for (const [change, gas] of Object.entries(JSON.parse(readFileSync(join(root, "snapshots", file), "utf8")))) {
      const grouped = String(gas).replace(/\B(?=(\d{3})+$)/g, " ");
      lines.push(group === "Deployment" ? `| ${change} | deployment | ${grouped} |` : `| ${group} | ${change} | ${grouped} |`);
    }
  }
  return lines.join("\n");
}

const text = readFileSync(readme, "utf8");
const [before, rest] = text.split(begin);
const after = rest?.split(end)[1];
if (after === undefined) throw new Error(`README.md has no ${begin} … ${end}`);
const wanted = `${before}${begin}\n${table()}\n${end}${after}`;
if (!process.argv.includes("--check")) {
  writeFileSync(readme, wanted);
} else if (text !== wanted) {
  console.error("README.md's gas table is not what snapshots/ holds: npm run gas");
  process.exit(1);
} else {
  console.log("README.md's gas table is what was measured");
}
