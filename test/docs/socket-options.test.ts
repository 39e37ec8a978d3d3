// docs/socket-options.md names options and what becomes of them: each is as the tables say.

import { readFileSync } from 'node:fs';
import * as tapstack from 'tapstack';
import { describe, expect, it } from 'vitest';
import { Machine, result } from '../kernel/machine.js';

const constants = tapstack as unknown as Record<string, number>;
const sections = readFileSync(new URL('../../docs/socket-options.md', import.meta.url), 'utf8').split(
  '\n## ',
);
const LEVELS = ['SOL_SOCKET', 'IPPROTO_IP', 'IPPROTO_TCP', 'IPPROTO_UDP'];
const LEVEL_OF: Record<string, string> = {
  SO: 'SOL_SOCKET',
  IP: 'IPPROTO_IP',
  TCP: 'IPPROTO_TCP',
  UDP: 'IPPROTO_UDP',
};

function rows(title: string): string[][] {
  const section = sections.find((text) => text.startsWith(`${title}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

/** A socket that has the options of the level. */
function socketFor(m: Machine, level: string): number {
  return m.sys.socket(tapstack.AF_INET, level === 'IPPROTO_UDP' ? tapstack.SOCK_DGRAM : tapstack.SOCK_STREAM);
}

describe('docs/socket-options.md', () => {
  it.each(LEVELS)('lists options of %s that there are', (level) => {
    const m = new Machine();
    const listed = rows(level);
    expect(listed.length).toBeGreaterThan(2);
    const wrong = listed.filter(([, name, value]) => {
      const fd = socketFor(m, level);
      const out: tapstack.OptionResult = { value: 0 };
      const read = result(m.sys.getsockopt(fd, constants[level], constants[name], out));
      const set = result(m.sys.setsockopt(fd, constants[level], constants[name], 1));
      if (constants[name] === undefined) return true;
      if (value.includes('write only')) return read !== '-ENOPROTOOPT' || set === '-ENOPROTOOPT';
      if (read === '-ENOPROTOOPT' || read === '-EOPNOTSUPP') return true;
      if (value === 'flag' && set === 0) {
        m.sys.setsockopt(fd, constants[level], constants[name], 77);
        m.sys.getsockopt(fd, constants[level], constants[name], out);
        return out.value !== 1 && name !== 'SO_BSDCOMPAT';
      }
      return value === 'read only' ? set === 0 : false;
    });
    expect(wrong.map(([, name]) => name)).toEqual([]);
  });

  it('knows every option that can be set', () => {
    const told = new Set(sections.join(' ').match(/\b(SO|IP|TCP|UDP)_[A-Z0-9_]+\b/g));
    const m = new Machine({ nofile: 4096 });
    const missing = Object.keys(constants).filter((name) => {
      const prefix = /^(SO|IP|TCP|UDP)_/.exec(name)?.[1];
      if (prefix === undefined || typeof constants[name] !== 'number' || told.has(name)) return false;
      if (/^(IP_PMTUDISC|IP_ORIGDSTADDR|SO_EE|TCP_NLA|TCP_CA|TCP_CM)/.test(name)) return false;
      const level = LEVEL_OF[prefix];
      const states = /^TCP_(ESTABLISHED|SYN_|FIN_|TIME_WAIT|CLOSE|LAST_ACK|LISTEN|CLOSING|NEW_SYN)/.test(
        name,
      );
      const fd = socketFor(m, level);
      return !states && result(m.sys.setsockopt(fd, constants[level], constants[name], 1)) !== '-ENOPROTOOPT';
    });
    expect(missing).toEqual([]);
  });

  it('names what is not here, and how it is refused', () => {
    const m = new Machine();
    const listed = rows('Not here');
    expect(listed.length).toBeGreaterThan(10);
    const wrong = listed.filter(([, name, errno]) => {
      const level = LEVEL_OF[name.split('_')[0]];
      const fd = socketFor(m, level);
      return result(m.sys.setsockopt(fd, constants[level], constants[name], 1)) !== `-${errno}`;
    });
    expect(wrong.map(([, name]) => name)).toEqual([]);
  });
});
