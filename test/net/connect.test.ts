// connect(): which arguments it takes and refuses, what it looks up, and what a socket says of itself on the way.
import { once } from 'node:events';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { nets } from './nets.js';

describe.each(nets)('%s', (_name, net) => {
  type Any = Parameters<typeof net.connect>[0];

  async function listening(): Promise<[server: InstanceType<typeof net.Server>, port: number]> {
    const server = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return [server, (server.address() as AddressInfo).port];
  }

  it.each([
    [{}, 'ERR_MISSING_ARGS', 'The "options" or "port" or "path" argument must be specified'],
    [{ port: true }, 'ERR_INVALID_ARG_TYPE', /"options.port" property must be one of type number or string/],
    [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT', /should be >= 0 and < 65536. Received type number \(65536\)/],
    [{ port: ' ' }, 'ERR_SOCKET_BAD_PORT', /should be >= 0 and < 65536/],
    [{ port: 1, localAddress: 'nowhere' }, 'ERR_INVALID_IP_ADDRESS', 'Invalid IP address: nowhere'],
    [
      { port: 1, localPort: 'x' },
      'ERR_INVALID_ARG_TYPE',
      /"options.localPort" property must be of type number/,
    ],
    [{ port: 1, lookup: 5 }, 'ERR_INVALID_ARG_TYPE', /"options.lookup" property must be of type function/],
    [{ port: 1, autoSelectFamily: 'yes' }, 'ERR_INVALID_ARG_TYPE', /must be of type boolean/],
    [{ port: 1, autoSelectFamilyAttemptTimeout: 0 }, 'ERR_OUT_OF_RANGE', /It must be >= 1/],
    [
      { port: 1, objectMode: true },
      'ERR_INVALID_ARG_VALUE',
      /'options.objectMode' is not supported. Received true/,
    ],
    [{ path: {} }, 'ERR_INVALID_ARG_TYPE', /"options.path" property must be of type string/],
  ])('refuses %j at once, with %s', (options, code, message) => {
    let thrown: (Error & { code?: string }) | undefined;
    try {
      net.connect(options as unknown as Any);
    } catch (error) {
      thrown = error as Error;
    }
    expect(thrown?.code).toBe(code);
    expect(thrown?.message).toMatch(message);
  });

  it('says what it is doing', async () => {
    const [server, port] = await listening();
    const client = net.connect(port, '127.0.0.1');
    expect(client).toMatchObject({ connecting: true, pending: true, readyState: 'opening' });
    expect(client.remoteAddress).toBe(undefined);
    const order: string[] = [];
    for (const event of ['lookup', 'connect', 'ready', 'close']) client.on(event, () => order.push(event));
    await once(client, 'ready');
    expect(client).toMatchObject({ connecting: false, pending: false, readyState: 'open' });
    expect(client).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: port, remoteFamily: 'IPv4' });
    client.destroy();
    expect(client.destroy()).toBe(client);
    await once(client, 'close');
    expect(order).toEqual(['connect', 'ready', 'close']);
    expect(client.pending).toBe(true);
    server.close();
  });

  it('tries the addresses of a name by turns of family, and tells of each', async () => {
    const [server, port] = await listening();
    const lookup = ((_host: string, _options: object, callback: (error: null, list: object[]) => void) =>
      callback(null, [
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.3', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ])) as unknown as LookupFunction;
    const client = net.connect({ port, host: 'many.example', lookup, autoSelectFamily: true });
    await once(client, 'connect');
    expect(client.autoSelectFamilyAttemptedAddresses).toEqual([
      `127.0.0.2:${port}`,
      `127.0.0.3:${port}`,
      `127.0.0.1:${port}`,
    ]);
    client.destroy();
    server.close();
  });

  it('gathers the errors of all addresses', async () => {
    const [server, port] = await listening();
    server.close();
    await once(server, 'close');
    const lookup = ((_host: string, _options: object, callback: (error: null, list: object[]) => void) =>
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ])) as unknown as LookupFunction;
    const client = net.connect({ port, host: 'many.example', lookup, autoSelectFamily: true });
    const [error] = (await once(client, 'error')) as [AggregateError & { code: string }];
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.code).toBe('ECONNREFUSED');
    expect(error.errors.map(({ message }: Error) => message)).toEqual([
      `connect ECONNREFUSED 127.0.0.1:${port}`,
      `connect ECONNREFUSED 127.0.0.2:${port}`,
    ]);
  });

  it('hands a failed lookup on', async () => {
    const failure = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    const lookup = ((_host: string, _options: object, callback: (error: Error) => void) =>
      callback(failure)) as unknown as LookupFunction;
    const client = net.connect({ port: 1, host: 'nowhere.example', lookup });
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toBe(failure);
  });

  it('connects from where it is told to', async () => {
    const [server, port] = await listening();
    const client = net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.9', localPort: 0 });
    const [peer] = (await once(server, 'connection')) as [Socket];
    expect(peer.remoteAddress).toBe('127.0.0.9');
    client.destroy();
    server.close();
  });

  it('connects again and again with one socket', async () => {
    const [server, port] = await listening();
    const client = new net.Socket();
    for (let round = 0; round < 20; round++) {
      client.connect(port, '127.0.0.1');
      await once(client, 'connect');
      client.destroy();
      await once(client, 'close');
    }
    server.close();
  });

  it('is ended by its signal, before and after', async () => {
    const [server, port] = await listening();
    for (const early of [true, false]) {
      const controller = new AbortController();
      const client = net.connect({ port, host: '127.0.0.1', signal: controller.signal });
      if (!early) await once(client, 'connect');
      controller.abort();
      const [error] = (await once(client, 'error')) as [Error];
      expect(error.name).toBe('AbortError');
    }
    server.close();
  });

  it('sends what was written before it was connected, and fails it when that never comes', async () => {
    const [server, port] = await listening();
    const client = net.connect(port, '127.0.0.1');
    client.write('one ');
    client.end('two');
    const [peer] = (await once(server, 'connection')) as [Socket];
    const chunks: Buffer[] = [];
    for await (const chunk of peer) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('one two');
    const lost = net.connect(port, '127.0.0.1');
    const failure = new Promise<Error | null | undefined>((resolve) => lost.write('x', resolve));
    lost.destroy();
    expect(await failure).toMatchObject({ code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' });
    server.close();
  });
});
