/** Loaded into every thread of Node (`-r`). Adds a line to the file CALLS for each fsync and each line of a journal. */
const fs = require('node:fs');
const { appendFileSync, fsync, readlinkSync, renameSync, writeSync } = fs;

const nameOf = (fd) => readlinkSync(`/proc/self/fd/${fd}`);
const log = (...words) => appendFileSync(process.env.CALLS, `${words.join(' ')}\n`);

fs.fsync = (fd, done) =>
  fsync(fd, (error) => {
    log('synced', nameOf(fd));
    done(error);
  });
fs.renameSync = (from, to) => {
  log('renamed', fs.realpathSync(from), to.split('/').at(-1));
  renameSync(from, to);
};
fs.writeSync = (fd, bytes, ...rest) => {
  if (nameOf(fd).endsWith('journal.jsonl')) log('journal', bytes.toString().trimEnd());
  return writeSync(fd, bytes, ...rest);
};
