// Before each of the manuals' programs: what they presume, and clocks that tests can wait for.

// A program of the manual of instances has its token somewhere else.
globalThis.token = process.env.SEED_TOKEN;

// What is to happen every few minutes happens once, when the program has nothing else to do any more, and then it ends.
globalThis.setInterval = (work) => {
  process.once('beforeExit', () => work());
  return 0;
};
