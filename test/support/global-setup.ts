// Brings dist/ up to date before the tests: worker threads and the command line run built output, because Node 20 starts
// no TypeScript. Each stale file is compiled alone (the sources are `isolatedModules`) and put in place by rename, so a type
// error elsewhere stops nothing and a second run beside this one never reads half a file. Types are `npm run typecheck`'s.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const repository = join(import.meta.dirname, '../..');
const sourceFolders = ['main', 'stack', 'drivers'];
/** What tests run in worker threads: entries, and the models of the stack that these import. */
const threadEntries = /-(thread|model)\.ts$/;

/** Paths, relative to the repository, of the files below `folder` whose name matches `pattern`. */
function filesBelow(folder: string, pattern: RegExp): string[] {
  const root = join(repository, folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(repository, join(entry.parentPath, entry.name)));
}

/** Where `tsc -p tsconfig.json` puts the JavaScript of `source`: `a.ts` to `dist/a.js`, `a.cts` to `dist/a.cjs`. */
function builtPath(source: string): string {
  return join('dist', source.replace(/\.([cm]?)ts$/, '.$1js'));
}

function isStale(source: string): boolean {
  const built = statSync(join(repository, builtPath(source)), { throwIfNoEntry: false });
  return built === undefined || built.mtimeMs < statSync(join(repository, source)).mtimeMs;
}

function readCompilerOptions(): ts.CompilerOptions {
  const parsed = ts.getParsedCommandLineOfConfigFile(join(repository, 'tsconfig.json'), undefined, {
    ...ts.sys,
    readDirectory: () => [],
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
    },
  });
  if (parsed === undefined) throw new Error('tsconfig.json cannot be read');
  return parsed.options;
}

function compile(source: string, options: ts.CompilerOptions): void {
  const built = join(repository, builtPath(source));
  mkdirSync(dirname(built), { recursive: true });
  const { outputText } = ts.transpileModule(readFileSync(join(repository, source), 'utf8'), {
    compilerOptions: {
      ...options,
      // A lone file cannot tell its format from package.json, as NodeNext does: the package is ESM but for `.cts`.
      module: source.endsWith('.cts') ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
      // With a source map beside the file, a concurrent run could pair one run's map with another's code.
      sourceMap: false,
      inlineSourceMap: true,
    },
    fileName: join(repository, source),
  });
  const unfinished = `${built}.${process.pid}`;
  writeFileSync(unfinished, outputText);
  renameSync(unfinished, built);
}

/** Compiles what is newer than its output and removes output whose source is gone. */
export function setup(): void {
  const sources = sourceFolders.flatMap((folder) => filesBelow(folder, /(?<!\.d)\.[cm]?ts$/));
  const expected = new Set(sources.map(builtPath));
  for (const folder of sourceFolders) {
    for (const built of filesBelow(join('dist', folder), /\.[cm]?js$/)) {
      if (!expected.has(built)) rmSync(join(repository, built), { force: true });
    }
  }
  const stale = [...sources, ...filesBelow('test', threadEntries)].filter(isStale);
  if (stale.length === 0) return;
  const options = readCompilerOptions();
  for (const source of stale) compile(source, options);
}
