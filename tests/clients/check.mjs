// What docs/clients.md shows in Node does what it says, on the server at the address given.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, event, grant, record, stream, watch, why } from './snippets.mjs';

const [target, ca, key] = process.argv.slice(2);
const clients = connect(target, key, readFileSync(ca));

const first = await grant(clients, '1', 'node', '100');
const again = await grant(clients, '1', 'node', '100');
assert.deepEqual([first.replayed, again.replayed, first.grant.id], [false, true, again.grant.id]);

const usage = event('node', 'gateway-1', 'call-1', 'tokens', '30');
const recorded = await record(clients, usage);
assert.equal(recorded.covered, '30');
assert.deepEqual(await record(clients, usage), recorded);

const refused = await grant(clients, '1', 'node', '99').then(() => assert.fail(), why);
assert.deepEqual(refused, { reason: 'REQUEST_ID_REUSED', metadata: {}, pause: 0 });

const batches = [2, 3, 4, 5].map((batch) =>
  [0, 1, 2].map((n) => event('node', `gateway-${batch}`, `call-${n}`, 'tokens', '1')));
const results = [];
for await (const [sent, result] of stream(clients, batches)) {
  assert.equal(result.event.event_id, sent.event_id);
  results.push(sent);
}
assert.deepEqual(results, batches.flat());

const seen = [];
for await (const balance of watch(clients, ['node'])) {
  seen.push(balance.totals[0].available);
  if (seen.length === 2) break;
  await record(clients, event('node', 'gateway-1', 'call-2', 'tokens', '8'));
}
assert.deepEqual(seen, ['58', '50']);
process.exit(0);
