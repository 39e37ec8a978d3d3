// A registry on loopback that has what tapstack depends on, packed anew from node_modules: a lab has no way to npm's own.

import { spawnSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

interface Manifest {
  name: string;
  version: string;
  dist?: { tarball: string };
}

/** Paths in node_modules of what an installed tapstack needs, by the lock file. */
function dependencies(root: string): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.keys(packages).filter((path) => path !== '' && packages[path]?.dev !== true);
}

/** Packs into `folder` and listens; close the server when done. */
export async function serveDependencies(
  root: string,
  folder: string,
): Promise<{ server: Server; url: string }> {
  const known = new Map<string, Map<string, Manifest>>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    if (path.endsWith('.tgz')) {
      createReadStream(join(folder, path)).pipe(response);
      return;
    }
    const versions = known.get(path);
    if (versions === undefined) {
      response.writeHead(404).end('{}');
      return;
    }
    const latest = [...versions.keys()].at(-1);
    response.end(
      JSON.stringify({ name: path, 'dist-tags': { latest }, versions: Object.fromEntries(versions) }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (const [at, path] of dependencies(root).entries()) {
    const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Manifest;
    const file = `${at}.tgz`;
    const options = [
      '--exclude=./node_modules',
      '--transform=s,^\\./,package/,',
      '-czf',
      join(folder, file),
      '.',
    ];
    if (spawnSync('tar', options, { cwd: join(root, path) }).status !== 0)
      throw new Error(`cannot pack ${path}`);
    const versions = known.get(manifest.name) ?? new Map<string, Manifest>();
    known.set(manifest.name, versions.set(manifest.version, { ...manifest, dist: { tarball: url + file } }));
  }
  return { server, url };
}
