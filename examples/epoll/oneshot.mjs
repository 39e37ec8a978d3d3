// EPOLLONESHOT: deaf after one report, until EPOLL_CTL_MOD. It hands a descriptor to one worker, and to no second.
import { EPOLL_CTL_MOD, EPOLLIN, EPOLLONESHOT } from 'tapstack';
import { accept, connect, stack, sys, wait, watch } from './scene.mjs';

const client = connect();
const child = accept();
const epfd = sys.epoll_create1(0);
watch(epfd, child, EPOLLIN | EPOLLONESHOT);
const buffer = new Uint8Array(100);

sys.write(client, buffer, 1);
console.log('a byte arrives:        ', await wait(epfd));
sys.write(client, buffer, 1);
console.log('another, nobody reads: ', await wait(epfd));
sys.epoll_ctl(epfd, EPOLL_CTL_MOD, child, { events: EPOLLIN | EPOLLONESHOT, data: child });
console.log('armed again by MOD:    ', await wait(epfd));
console.log('and deaf once more:    ', await wait(epfd));
await stack.close();
