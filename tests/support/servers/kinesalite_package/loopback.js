// Kinesalite in memory, on one port of the loopback interface: its own program listens on all of them.
// Arguments: the directory with its node_modules, the port.

'use strict'

const path = require('node:path')

const [packages, port] = process.argv.slice(2)
const kinesalite = require(path.join(packages, 'node_modules', 'kinesalite'))

// Milliseconds that a stream is CREATING, DELETING or UPDATING.
const quick = { createStreamMs: 20, deleteStreamMs: 20, updateStreamMs: 20 }

kinesalite({ ...quick, shardLimit: 100 }).listen(Number(port), '127.0.0.1')
