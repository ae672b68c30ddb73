/** The host's side of the commands about packet filters. */
import type { CommandParams, CommandResult } from './contract.ts';
import type { filterCommands } from './filter-contract.ts';
import type { LabHost } from './lab-host.ts';

type FilterCommand = keyof typeof filterCommands;

export type FilterHandlers = {
  readonly [C in FilterCommand]: (params: CommandParams<C>) => CommandResult<C> | Promise<CommandResult<C>>;
};

export function filterHandlers({ filters, expressions }: LabHost): FilterHandlers {
  const after = async (work: Promise<unknown>): Promise<null> => {
    await work;
    return null;
  };
  return {
    'filters.status': ({ node }) => filters.status(node),
    'filters.mount': ({ node }) => after(filters.mount(node)),
    'filters.enable': ({ node, enabled }) => after(filters.setEnabled(node, enabled)),
    'filters.file': ({ node }) => filters.file(node),
    'filters.save': ({ node, text }) => after(filters.save(node, text)),
    'filters.check': ({ node, text }) => filters.check(node, text),
    'filters.load': ({ node, text }) => filters.load(node, text),
    'filters.unload': ({ node }) => after(filters.unload(node)),
    'filters.undo': ({ node }) => after(filters.undo(node)),
    'filters.loaded': async ({ node }) => (await filters.loadedText(node)) ?? null,
    'filters.whatIf': (query) => filters.whatIf(query),
    'filters.words': () => filters.words(),
    'states.list': ({ node, query }) => filters.states(node, query),
    'states.kill': async ({ node, id }) => ({ killed: await filters.killStates(node, id) }),
    'filters.hits': ({ node, rule }) => filters.hits(node, rule),
    'filters.decisions': ({ number, capture }) => filters.decisions(number, capture) ?? null,
    'expression.compile': ({ expression, ...target }) => expressions.compile(expression, target),
    'expression.explain': ({ expression, number, ...target }) =>
      expressions.explain(expression, number, target) ?? null,
    'expression.select': ({ expression, capture }) => expressions.select(expression, capture),
  };
}
