/**
 * Whether what a file exports by default is a module as the contract has it (stack/net/module.ts): everything that the stack relies on is looked at before anything of
 * it is called.
 */
import * as v from 'valibot';
import { MOST_QUEUES, MOST_TIMERS, OPTION_TYPES, VARIANT_NAMES, moduleFile } from '../../stack/net/module.ts';
import type { LoadableModule } from '../../stack/net/module.ts';

/** Why a module cannot be loaded, for the system log and for who asked. */
export class ModuleError extends Error {}

/** Bytes that a module may remember for each card, or each stack. */
const MOST_STATE = 65_536;
const WORD = /^[A-Za-z_]\w*$/;

const callback = v.optional(v.function('must be a function'));
const word = v.pipe(v.string(), v.regex(WORD, 'must be a word of letters, digits and _'));
const flag = v.optional(v.boolean('must be true or false'));

const option = v.strictObject({
  type: v.picklist(OPTION_TYPES, `must be one of ${OPTION_TYPES.join(', ')}`),
  meaning: v.string('must be a text'),
  default: v.optional(
    v.union([v.string(), v.number(), v.boolean()], 'must be a text, a number or a boolean'),
  ),
  min: v.optional(v.number('must be a number')),
  max: v.optional(v.number('must be a number')),
});

const place = v.strictObject({
  bytes: v.pipe(v.number('must be a number'), v.integer(), v.minValue(1), v.maxValue(MOST_STATE)),
});
const field = v.union(
  [v.picklist(['u8', 'u16', 'i32', 'u32', 'f64', 'ptr']), place],
  'must be u8, u16, i32, u32, f64 or { bytes: N }',
);

/** A mapping with at most `most` entries. */
function mapping(value: v.GenericSchema, most: number) {
  return v.optional(
    v.pipe(
      v.record(word, value, 'must be an object'),
      v.check((entries) => Object.keys(entries).length <= most, `may have at most ${most} entries`),
    ),
  );
}

const MANY = 256;
const base = {
  name: v.pipe(
    v.string('must be a text'),
    v.regex(/^[a-z][a-z0-9_]*$/, 'must be a word of small letters and digits'),
  ),
  description: v.string('must be a text'),
  options: mapping(option, MANY),
  variants: v.optional(v.array(v.picklist(VARIANT_NAMES, `must be of ${VARIANT_NAMES.join(', ')}`))),
  state: v.pipe(
    mapping(field, MANY),
    v.check((fields) => fields === undefined || !('ptr' in fields), 'has a field ptr, which every state has'),
  ),
  queues: mapping(
    v.pipe(v.number('must be a number'), v.integer(), v.minValue(1), v.maxValue(65_536)),
    MOST_QUEUES,
  ),
  attach: v.function('must be a function'),
};

const driver = v.looseObject({
  kind: v.literal('driver'),
  ...base,
  legacy: v.optional(v.literal(false, 'must not be set: legacy drivers are for the shim')),
  singleThreaded: flag,
  resident: flag,
  start: v.function('must be a function'),
  process: v.function('must be a function'),
  init: callback,
  stop: callback,
  enable: callback,
  ioctl: callback,
  detach: callback,
  carrier: callback,
  statistics: callback,
  configuration: callback,
});

const protocol = v.looseObject({
  kind: v.literal('protocol'),
  ...base,
  path: v.optional(v.pipe(v.string('must be a text'), v.regex(/^(\/[\w.-]+)+$/, 'must be an absolute path'))),
  timers: mapping(v.function('must be a function'), MOST_TIMERS),
  input: callback,
  ipInput: callback,
  watch: callback,
  interfaceEvent: callback,
  read: callback,
  write: callback,
  detach: callback,
});

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  return issue.input === undefined && issue.received === 'undefined'
    ? `${path} is missing`
    : `${path} ${issue.message}`;
}

/** The module that `file` (without its ending) exports by default. @throws ModuleError that says what is wrong. */
export function checkModule(file: string, exported: unknown): LoadableModule {
  if (exported === undefined) throw new ModuleError('it has no default export');
  if (typeof exported !== 'object' || exported === null)
    throw new ModuleError('its default export is no object');
  const { kind } = exported as { kind?: unknown };
  if (kind !== 'driver' && kind !== 'protocol')
    throw new ModuleError(
      `its kind is ${JSON.stringify(kind) ?? 'missing'}; it must be "driver" or "protocol"`,
    );
  const result = v.safeParse(kind === 'driver' ? driver : protocol, exported);
  if (!result.success) throw new ModuleError(`its ${describeIssue(result.issues[0])}`);
  const module = exported as LoadableModule;
  if (moduleFile(module) !== file)
    throw new ModuleError(
      `it is a ${kind} called ${module.name}, so that its file must be ${moduleFile(module)}`,
    );
  return module;
}
