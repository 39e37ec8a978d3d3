# The kernel's end of accecn.test.ts: takes SIZE bytes, sends as many back, and then tells what TCP_INFO has of Accurate ECN.
# python3 accecn-peer.py ADDRESS SIZE; in a network namespace of its own, whose settings it changes.
import hashlib
import json
import socket
import struct
import sys

address, size = sys.argv[1], int(sys.argv[2])
for name, value in ('tcp_ecn', '2'), ('tcp_syncookies', '2'):
    with open(f'/proc/sys/net/ipv4/{name}', 'w') as setting:
        setting.write(value)
listener = socket.socket()
listener.bind((address, 7000))
listener.listen(1)
print('ready', flush=True)
connection, _ = listener.accept()
received, sent, count = hashlib.sha256(), hashlib.sha256(), 0
while count < size:
    part = connection.recv(65536)
    if not part:
        break
    received.update(part)
    count += len(part)
block = bytes(i * 7 % 251 for i in range(50000))
for _ in range(size // len(block)):
    connection.sendall(block)
    sent.update(block)
connection.recv(1)  # all has arrived
info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 400)
names = ['received_ce', 'delivered_e1_bytes', 'delivered_e0_bytes', 'delivered_ce_bytes', 'received_e1_bytes', 'received_e0_bytes',
         'received_ce_bytes', 'accecn_fail_mode', 'accecn_opt_seen']
told = dict(zip(names, struct.unpack_from('<7I2H', info, 248)))
told['delivered_ce'] = struct.unpack_from('<I', info, 196)[0]
told['received'], told['sent'] = received.hexdigest(), sent.hexdigest()
print(json.dumps(told), flush=True)
