/**
 * What is allowed in a lab but probably not meant: warnings.
 */
import type { Lab, NormalLab } from './model.ts';
import type { ShapeProblem } from './shape.ts';
import { suggestions } from '../../../stack/kernel/suggest.ts';

/** Every warning about a lab without problems. */
export function lintLab(source: Lab, lab: NormalLab): ShapeProblem[] {
  return [...unlinked(lab), ...impairments(lab), ...secondStacks(source), ...strayPositions(lab)];
}

function unlinked(lab: NormalLab): ShapeProblem[] {
  const linked = new Set(
    lab.links.flatMap((link) =>
      link.ends.map((end) => (end.kind === 'node' ? `${end.node}:${end.interface}` : end.name)),
    ),
  );
  const interfaces = lab.nodes.flatMap((node) =>
    node.interfaces.flatMap((name, index): ShapeProblem[] =>
      linked.has(`${node.name}:${name}`)
        ? []
        : [{ path: ['nodes', node.name, 'interfaces', index], at: 'value', text: `${name} is on no link` }],
    ),
  );
  const others = [
    ...lab.ports.map((port) => ['ports', port.name] as const),
    ...lab.switches.map((item) => ['switches', item.name] as const),
  ].flatMap((path): ShapeProblem[] =>
    linked.has(path[1]) ? [] : [{ path, at: 'key', text: 'is on no link' }],
  );
  return [...interfaces, ...others];
}

function impairments(lab: NormalLab): ShapeProblem[] {
  return lab.links.flatMap((link): ShapeProblem[] =>
    link.directions.some(({ jitterNs, delayNs }) => jitterNs > delayNs)
      ? [
          {
            path: ['links', link.name, 'jitter'],
            at: 'value',
            text: 'is larger than the delay; a frame never takes less than no time',
          },
        ]
      : [],
  );
}

/** A second network manager needs its own instance and its own names, as io-pkt's documentation has it. */
function secondStacks(source: Lab): ShapeProblem[] {
  return Object.entries(source.nodes).flatMap(([name, node]) =>
    (node.startup ?? []).flatMap((command, index): ShapeProblem[] =>
      /^\s*io-pkt-v[46]\S*(\s|$)/.test(command) && !/\s-i\s*\d/.test(command)
        ? [
            {
              path: ['nodes', name, 'startup', index],
              at: 'value',
              text: 'starts a second stack without an instance; give it -i1 -ptcpip prefix=/alt',
            },
          ]
        : [],
    ),
  );
}

function strayPositions(lab: NormalLab): ShapeProblem[] {
  const suggest = suggestions();
  const names = new Set(
    [lab.nodes, lab.ports, lab.switches, lab.links].flatMap((list) => list.map((item) => item.name)),
  );
  return lab.view.positions.flatMap(({ name }): ShapeProblem[] =>
    names.has(name)
      ? []
      : [
          {
            path: ['view', 'positions', name],
            at: 'key',
            text: `is the place of nothing in this lab${suggest(name, names)}`,
          },
        ],
  );
}
