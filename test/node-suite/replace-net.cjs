// Loaded before a test of Node's suite: the program's net, and with it http, https and tls, is tapstack/net.
const { installNet } = require('../../dist/net/install.js');
const net = require('../../dist/net/index.js');

installNet(net);
