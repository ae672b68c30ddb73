// A slice of the hostile packets that hostile.soak.ts has many of.
import { test } from 'vitest';
import { useFirewall } from './firewall.ts';
import { attack } from './hostile.ts';

useFirewall();

test('20,000 hostile packets leave the firewall as it was', () => attack(20_000, 1), 60_000);
