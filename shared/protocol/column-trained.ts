/**
 * Lengths of the codes of `column-codes.ts`, a hexadecimal digit for each symbol: a row for each level of the residuals
 * before, from calm to lively, then one for runs of zeros. Made by `bench/wire/train.ts` from drives of the simulated
 * car. Part of the format: what cars have sent is read with it for ever.
 */
export const TRAINED_LENGTHS: readonly string[] = [
  "2154779877889998b9999899b9ab99ab66878779997",
  "1325487aababbbbbbbbbbbbbbbbbbbbbbabbbbbbbbb",
  "1325487bababbbbbbbbbbbbbbbbbbbbbaabbbbbbbbb",
  "1326486999aaaabbbbbbbbbbbbbbbbbb99babbbbbbb",
  "13264869999aabbbbbbbbbbbbbbbbbbba9aabbbbbbb",
  "1334465777788999aaaa9aaabbbbbbbb8888aaabbbb",
  "23243556576778899aa9aaaaabbbbbba8999aaabbbb",
  "23343445565667788a9aaaaabbbbbbbb89aababbbbb",
  "2334444545566778898999aaaabbbbba7899aabbbbb",
  "233445455556666778788989999a9aaa678899aabba",
  "234445555556666667777777888888895678889aaaa",
  "234445555566666676777777888888985667789bab9",
  "1445566666677777788888888888989856567889999",
  "2344556666667777777777888888888745555678899",
  "2334455545466679ababbbbbbb4",
];
