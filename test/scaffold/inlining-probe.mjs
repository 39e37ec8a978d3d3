// Preloaded: has V8 compile a function that calls eight others of 339 bytes of bytecode when the process ends, for
// --trace-turbo-inlining to tell how many of them it inlined.
process.on('exit', () => {
  const names = Array.from({ length: 8 }, (_, i) => `part${i}`);
  const body = Array.from({ length: 24 }, (_, i) => `n = (n * ${i + 3}) ^ (n >> 1);`).join('');
  new Function(`
    ${names.map((name) => `function ${name}(n) { ${body} return n; }`).join('\n')}
    function caller(n) { return ${names.map((name) => `${name}(n)`).join(' + ')}; }
    ${[...names, 'caller'].map((name) => `%PrepareFunctionForOptimization(${name});`).join('\n')}
    caller(1);
    %OptimizeFunctionOnNextCall(caller);
    caller(2);
  `)();
});
