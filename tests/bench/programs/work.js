// SPDX-License-Identifier: Apache-2.0
// Objects, closures, arrays, regular expressions and big integers.
let total = 0;
const points = [];
for (let i = 0; i < 300000; i++) points.push({x: i, y: -i, name: "p" + i});
points.sort((a, b) => a.y - b.y);
for (const point of points) total += point.x;
const counts = new Map();
for (const word of points.map((point) => point.name).join(" ").split(/\s+/)) counts.set(word, word.length);
let product = 1n;
for (let i = 1n; i < 2000n; i++) product *= i;
console.log(total, counts.size, product.toString().length);
