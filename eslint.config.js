// The lint rules of the house. Layering between folders is checked apart, by .dependency-cruiser.cjs.
import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier';
import vue from 'eslint-plugin-vue';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const typeScriptFiles = ['**/*.ts', '**/*.cts', '**/*.vue'];
const toolConfigFiles = ['**/*.config.*', '**/*.cjs'];
const projects = ['tsconfig.test.json', 'renderer/tsconfig.json'];

const electronOnlyInItsShell = {
  name: 'electron',
  message: 'Only main/electron/ imports electron: everywhere else must also run in plain Node.',
};
const fromTheRuntime = 'stack/ and drivers/ take time and randomness from stack/runtime only.';

const forbiddenSyntax = [
  {
    selector: 'ExportAllDeclaration',
    message: 'No barrels: import a name from the file that defines it.',
  },
];
const forbiddenDefaultExport = [
  {
    selector: 'ExportDefaultDeclaration',
    message:
      'Export by name. Only drivers, loadable modules, Vue components and tool configuration have a default.',
  },
  {
    selector: 'ExportSpecifier[exported.name="default"]',
    message:
      'Export by name. Only drivers, loadable modules, Vue components and tool configuration have a default.',
  },
];

/** Checks that need types, picked because each finds real bugs and none is noise. */
const typeAwareRules = {
  '@typescript-eslint/await-thenable': 'error',
  '@typescript-eslint/no-array-delete': 'error',
  '@typescript-eslint/no-base-to-string': 'error',
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-for-in-array': 'error',
  '@typescript-eslint/no-implied-eval': 'error',
  '@typescript-eslint/no-misused-promises': [
    'error',
    { checksVoidReturn: { arguments: false, attributes: false } },
  ],
  '@typescript-eslint/no-unnecessary-type-assertion': 'error',
  '@typescript-eslint/no-unsafe-argument': 'error',
  '@typescript-eslint/no-unsafe-assignment': 'error',
  '@typescript-eslint/no-unsafe-call': 'error',
  '@typescript-eslint/no-unsafe-member-access': 'error',
  '@typescript-eslint/no-unsafe-return': 'error',
  '@typescript-eslint/only-throw-error': 'error',
  '@typescript-eslint/prefer-promise-reject-errors': 'error',
  '@typescript-eslint/restrict-plus-operands': 'error',
  '@typescript-eslint/return-await': ['error', 'in-try-catch'],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
};

export default tseslint.config(
  { ignores: ['dist/', 'release/', 'coverage/', 'node_modules/'] },
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },

  eslint.configs.recommended,
  tseslint.configs.strict,
  vue.configs['flat/recommended'],

  {
    languageOptions: { globals: globals.node },
    rules: {
      eqeqeq: 'error',
      'no-restricted-imports': ['error', { paths: [electronOnlyInItsShell] }],
      'no-restricted-syntax': ['error', ...forbiddenSyntax, ...forbiddenDefaultExport],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'for now'], location: 'anywhere' }],
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: typeScriptFiles,
    languageOptions: {
      parserOptions: {
        parser: tseslint.parser,
        project: projects,
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
    rules: {
      ...typeAwareRules,
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      // noUncheckedIndexedAccess makes `array[i]!` the honest form after a bounds check.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      // The compiler knows every name; the rule does not know types.
      'no-undef': 'off',
    },
  },
  {
    files: ['renderer/**'],
    languageOptions: { globals: globals.browser },
    rules: {
      'vue/multi-word-component-names': 'off',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
    },
  },
  {
    // ESLint's view of TypeScript cannot see into `.vue` files and takes what they export for `any`; vue-tsc knows better.
    files: ['renderer/**', 'test/unit/renderer/**'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['main/electron/**'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['stack/**', 'drivers/**'],
    ignores: ['stack/runtime/clock*.ts', 'stack/runtime/timers.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
          name,
          message: fromTheRuntime,
        })),
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            electronOnlyInItsShell,
            ...['timers', 'timers/promises', 'perf_hooks']
              .flatMap((name) => [name, `node:${name}`])
              .map((name) => ({ name, message: fromTheRuntime })),
            ...['crypto', 'node:crypto'].map((name) => ({
              name,
              importNames: [
                'getRandomValues',
                'randomBytes',
                'randomFill',
                'randomFillSync',
                'randomInt',
                'randomUUID',
                'webcrypto',
              ],
              message: fromTheRuntime,
            })),
          ],
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: fromTheRuntime },
        { object: 'process', property: 'hrtime', message: fromTheRuntime },
        { object: 'crypto', property: 'getRandomValues', message: fromTheRuntime },
        { object: 'crypto', property: 'randomUUID', message: fromTheRuntime },
        ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map((property) => ({
          object: 'globalThis',
          property,
          message: fromTheRuntime,
        })),
      ],
    },
  },
  {
    files: ['drivers/devn*-*/**', 'stack/lsm/**', 'main/examples/modules/**', '**/*.vue', ...toolConfigFiles],
    rules: { 'no-restricted-syntax': ['error', ...forbiddenSyntax] },
  },
  {
    // A struct's view class is compiled from its declaration, so that every accessor has constant offsets.
    files: ['stack/memory/struct.ts'],
    rules: { '@typescript-eslint/no-implied-eval': 'off' },
  },
  {
    // Tool configuration belongs to no TypeScript project: the rules that need types are left out.
    ...tseslint.configs.disableTypeChecked,
    files: ['**/*.js', ...toolConfigFiles],
  },
  {
    files: ['**/*.cjs', '**/*.cts'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  prettier,
);
