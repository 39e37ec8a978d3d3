// What a write queue keeps when it is cleared: a pooled one goes from connection to connection, and rows made anew for each were a
// twelfth of what a short connection costs.

import { expect, it } from 'vitest';
import { WriteQueue } from '../../src/tcp/write-queue.js';

function filled(rows: number): WriteQueue {
  const queue = new WriteQueue();
  for (let i = 0; i < rows; i++) queue.push(i * 10, i * 10 + 10, 0);
  return queue;
}

it('keeps room for a few rows, and begins again in it', () => {
  const queue = filled(4);
  const { rows } = queue;
  queue.clear();
  expect([queue.count, queue.sent]).toEqual([0, 0]);
  queue.push(7, 9, 0);
  expect(queue.rows).toBe(rows);
  expect(queue.find(8)).toBe(0);
});

it('lets go of the many rows of bulk', () => {
  const queue = filled(100);
  queue.clear();
  expect(queue.rows).toHaveLength(0);
  queue.push(7, 9, 0);
  expect(queue.count).toBe(1);
});
