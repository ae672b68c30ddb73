// The layers of the house, checked: `npm run layers`. Arrows point one way:
//   renderer -> main/api        main -> stack, drivers        drivers -> stack (memory, runtime, net)
//   in stack: utilities -> socket -> kernel -> runtime -> memory
//             lsm, net* and the other protocol folders -> runtime, memory
//             filter (the languages of the packet filters) stands by itself: all but memory and runtime may use it
// Type-only imports count like any other.

/** The protocol folders: they know packets, the runtime and the memory, and nothing of messages or programs. */
const protocols = '^stack/(net|netinet|netinet6|netipsec|opencrypto|net80211|lsm)/';

/** One rule for "files in `from` import nothing in `to`". */
const forbid = (name, comment, from, to) => ({
  name,
  comment,
  severity: 'error',
  from: typeof from === 'string' ? { path: from } : from,
  to: typeof to === 'string' ? { path: to } : to,
});

module.exports = {
  forbidden: [
    forbid(
      'renderer-imports-the-contract-only',
      'The renderer talks to a host through main/api and imports nothing else of ours.',
      '^renderer/',
      { path: '^(main|stack|drivers|test)/', pathNot: '^main/api/' },
    ),
    forbid(
      'renderer-runs-in-a-browser',
      'The renderer and the contract it imports have no Node built-ins.',
      '^(renderer|main/api)/',
      { dependencyTypes: ['core'] },
    ),
    forbid(
      'contract-stands-alone',
      'main/api reaches the browser: from the rest of the house it may take types, never code.',
      '^main/api/',
      {
        path: '^(main|stack|drivers|renderer)/',
        pathNot: '^main/api/',
        dependencyTypesNot: ['type-only'],
      },
    ),
    forbid(
      'main-does-not-import-the-renderer',
      'The renderer is served as built files, never imported.',
      '^main/',
      '^(renderer|test)/',
    ),
    forbid(
      'drivers-know-the-driver-interface-only',
      'A driver sees the shared memory, the runtime and the interface layer.',
      '^drivers/',
      { path: '^(main|renderer|test|stack)/', pathNot: '^stack/(memory|runtime|net)/' },
    ),
    forbid(
      'stack-stands-alone',
      'The stack knows nothing of labs, files, screens or particular drivers.',
      '^stack/',
      '^(main|renderer|drivers|test)/',
    ),
    forbid('memory-is-the-ground', 'stack/memory imports nothing else of the stack.', '^stack/memory/', {
      path: '^stack/',
      pathNot: '^stack/memory/',
    }),
    forbid('runtime-on-memory', 'stack/runtime imports stack/memory only.', '^stack/runtime/', {
      path: '^stack/',
      pathNot: '^stack/(memory|runtime)/',
    }),
    forbid(
      'filter-languages-stand-alone',
      'What a filter says is text and data: stack/filter knows no packets, no stack and no memory.',
      '^stack/filter/',
      { path: '^stack/', pathNot: '^stack/filter/' },
    ),
    forbid('kernel-on-runtime', 'stack/kernel imports the runtime and the memory only.', '^stack/kernel/', {
      path: '^stack/',
      pathNot: '^stack/(memory|runtime|kernel|filter)/',
    }),
    forbid(
      'socket-on-kernel',
      'libsocket is messages: stack/socket reaches a stack through the kernel, never by a call into it.',
      '^stack/socket/',
      { path: '^stack/', pathNot: '^stack/(memory|runtime|kernel|socket)/' },
    ),
    forbid(
      'utilities-on-socket',
      'What a user types on a node is a program like any other: it uses sockets and messages.',
      '^stack/utilities/',
      { path: '^stack/', pathNot: '^stack/(memory|runtime|kernel|socket|utilities|filter)/' },
    ),
    forbid(
      'protocols-on-runtime',
      'Protocol folders know packets, the runtime and the memory, and nothing of messages or programs.',
      protocols,
      { path: '^stack/', pathNot: [protocols, '^stack/(memory|runtime|filter)/'] },
    ),
    forbid(
      'modules-are-loaded',
      'A loadable module is mounted by name: no other part of the stack imports it.',
      { path: '^stack/', pathNot: '^stack/lsm/' },
      '^stack/lsm/',
    ),
    forbid(
      'modules-do-not-know-each-other',
      'A loadable module lives in its own folder and imports no other module.',
      '^stack/lsm/([^/]+)/',
      { path: '^stack/lsm/[^/]+/', pathNot: '^stack/lsm/$1/' },
    ),
    forbid(
      'electron-in-its-shell-only',
      'Everything outside main/electron also runs in plain Node.',
      { pathNot: '^main/electron/' },
      { path: ['^electron$', '(^|/)node_modules/electron/'] },
    ),
    forbid(
      'no-cycle',
      'Two files that need each other are one idea, or miss a third.',
      {},
      { circular: true },
    ),
    forbid(
      'no-orphan',
      'A file that imports nothing and is imported by nothing is dead, or misses its user.',
      {
        orphan: true,
        pathNot: [
          '[.]d[.]ts$',
          '[.]config[.]ts$',
          // Started by name: entry points, loaded modules, preload scripts and tests.
          '^main/(cli|start)[.]ts$',
          '^main/electron/[^/]+[.]cts$',
          '^(drivers|stack/lsm)/[^/]+/index[.]ts$',
          '^drivers/[^/]+/worker[.]ts$',
          '^main/examples/modules/',
          '^test/.*[.](test|soak)[.]ts$',
        ],
      },
      {},
    ),
    forbid('no-unresolvable', 'An import that finds nothing.', {}, { couldNotResolve: true }),
    forbid(
      'no-development-package-at-run-time',
      'What runs outside a bundle is listed under "dependencies". Electron is the shell itself.',
      '^(main|stack|drivers)/',
      {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: '(^|/)node_modules/electron/',
      },
    ),
    forbid(
      'no-unlisted-package',
      // electron-builder validates its own configuration only in packages that it brings along.
      'A package that package.json does not list.',
      { pathNot: '^test/unit/electron-builder[.]test[.]ts$' },
      {
        dependencyTypes: ['npm-no-pkg', 'npm-unknown'],
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.cts', '.vue', '.js', '.d.ts'],
    },
  },
};
