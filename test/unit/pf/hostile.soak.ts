// 200,000 hostile packets through a firewall with every feature of PF, from several seeds.
import { test } from 'vitest';
import { useFirewall } from './firewall.ts';
import { attack } from './hostile.ts';

useFirewall();

test.each([2, 3, 4])('200,000 hostile packets leave the firewall as it was, seed %i', (seed) =>
  attack(200_000, seed),
);
