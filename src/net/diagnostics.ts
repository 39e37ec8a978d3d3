// What node:diagnostics_channel tells of Node's net is told of this one, under the same names.

import { channel, tracingChannel } from 'node:diagnostics_channel';

export const clientSocket = channel('net.client.socket');
export const serverSocket = channel('net.server.socket');
export const serverListen = tracingChannel('net.server.listen') as unknown as {
  asyncStart: { hasSubscribers: boolean; publish(message: unknown): void };
  asyncEnd: { hasSubscribers: boolean; publish(message: unknown): void };
  error: { hasSubscribers: boolean; publish(message: unknown): void };
};
