// Preloaded: has V8 compile a call of a function of 843 bytes of bytecode when the process ends, for --trace-turbo-inlining to tell of.
process.on('exit', () => {
  const body = Array.from({ length: 60 }, (_, i) => `n = (n * ${i + 3}) ^ (n >> 1);`).join('');
  new Function(`
    function large(n) { ${body} return n; }
    function caller(n) { return large(n) + 1; }
    %PrepareFunctionForOptimization(large);
    %PrepareFunctionForOptimization(caller);
    caller(1);
    %OptimizeFunctionOnNextCall(caller);
    caller(2);
  `)();
});
