import {
  button,
  choice,
  clamp,
  diverging,
  figure,
  format,
  handle,
  heat,
  html,
  palette,
  player,
  row,
  set,
  slider,
  svg,
  toggle,
} from "./kit.js";

/** The arithmetic of a convolution on a small grid, and what a 3 x 3 kernel does to a photograph. */

export const defaults = {
  mode: "grid",
  size: 7,
  kernel: 3,
  stride: 2,
  padding: 1,
  dilation: 1,
  flip: false,
  image: null,
  weights: null,
  filter: "sobel-vertical",
};

const strings = {
  en: {
    modes: "What to look at",
    grid: "Sizes on a grid",
    photo: "Kernels on a photograph",
    size: "Input N",
    kernel: "Kernel F",
    stride: "Stride S",
    padding: "Padding P",
    dilation: "Dilation D",
    flip: "Flip the kernel (true convolution)",
    input: (n, padded) => (n === padded ? `Input x: ${n} × ${n}` : `Input x: ${n} × ${n}, padded to ${padded} × ${padded}`),
    output: (n) => `Output y: ${n} × ${n}`,
    inputSize: (n) => `dotted: ${n} × ${n}, the size of the input`,
    noOutput: "No output",
    patch: "window",
    weightsTitle: "kernel",
    flipped: "flipped",
    products: "products",
    sum: "sum",
    window: "Window over the input",
    place: (i, j) => `makes output row ${i}, column ${j}`,
    cell: (i, j, r, c, count, value) => [
      `y[${i}, ${j}]`,
      ` is the sum of ${count} ${count === 1 ? "product" : "products"}: `,
      value,
      `. Its window starts at row ${r}, column ${c} of the padded input.`,
    ],
    said: (i, j, value) => `Output row ${i}, column ${j}: ${value}.`,
    fits: (room, stride) => `S = ${stride} divides ${room}.`,
    grows: (by) => `With S = 1 the output differs from the input by 2P − D(F − 1) = ${by}${by === "0" ? ": the same size" : ""}.`,
    rest: (room, stride, rest) =>
      `S = ${stride} does not divide ${room}: ${rest} left over at the end. PyTorch rounds down; this book's library refuses.`,
    covers: (reach, padded) =>
      `The kernel reaches over ${reach} cells and the padded input has only ${padded}. It fits nowhere: there is no output.`,
    unread: (count, total) =>
      count ? `${count} of ${total} input cells are never read (hatched).` : `All ${total} input cells are read.`,
    kernelEditor: "Kernel",
    entry: (i, j) => `Kernel row ${i}, column ${j}`,
    filter: "Preset",
    own: "your own",
    filters: {
      identity: "identity",
      mean: "mean",
      "sobel-vertical": "Sobel, vertical edges",
      "sobel-horizontal": "Sobel, horizontal edges",
      sharpen: "sharpen",
      laplacian: "Laplacian",
    },
    photograph: (h, w) => `Photograph: ${h} × ${w}`,
    result: (h, w) => `Result: ${h} × ${w}`,
    sumZero: (limit) =>
      `The weights add to 0, so a flat patch gives 0: the result is signed. Orange is negative, blue positive, full color from ${limit} on.`,
    sumNegative: (total, limit) =>
      `The weights add to ${total}: the result is signed. Orange is negative, blue positive, full color from ${limit} on.`,
    sumPositive: (total, clipped) =>
      `The weights add to ${total}, so a flat patch is multiplied by ${total}. Drawn in grays from 0 to 1${clipped ? `; ${clipped} % of the pixels lie outside and are cut off` : ""}.`,
    same: "This kernel is its own flip, so flipping changes nothing.",
    pixel: (r, c, value) => [`y[${r}, ${c}]`, " = ", value, "."],
    credit: "Photograph:",
    changed: "made smaller and gray.",
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

/**
 * Output size along one axis, `floor((N + 2P - D(F - 1) - 1) / S) + 1`.
 * @returns {{size: number, room: number, rest: number}} the size (0 where the kernel does not fit), the numerator,
 *   and what the stride leaves of it.
 */
export function outputSize(size, kernel, stride = 1, padding = 0, dilation = 1) {
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  return room < 0 ? { size: 0, room, rest: 0 } : { size: Math.floor(room / stride) + 1, room, rest: room % stride };
}

/** The kernel turned by half a turn: a correlation with it is a convolution with the kernel. */
export const flipped = (weights) => weights.map((line) => [...line].reverse()).reverse();

/** The numbers that one output cell reads, F x F; a cell of the padding counts 0. */
export function windowAt(image, kernel, i, j, { stride = 1, padding = 0, dilation = 1 } = {}) {
  return Array.from({ length: kernel }, (_, m) =>
    Array.from(
      { length: kernel },
      (_, n) => image[i * stride + m * dilation - padding]?.[j * stride + n * dilation - padding] ?? 0,
    ),
  );
}

/** Element by element: what the window and the kernel give, before they are added up. */
export const products = (patch, weights) => patch.map((line, m) => line.map((x, n) => x * weights[m][n]));

const total = (matrix) => matrix.flat().reduce((sum, x) => sum + x, 0);

/** Cross-correlation of a rectangular image with a square kernel; with `flip` a true convolution. */
export function conv2d(image, weights, { stride = 1, padding = 0, dilation = 1, flip = false } = {}) {
  const used = flip ? flipped(weights) : weights,
    kernel = weights.length;
  const height = outputSize(image.length, kernel, stride, padding, dilation).size;
  const width = outputSize(image[0].length, kernel, stride, padding, dilation).size;
  return Array.from({ length: height }, (_, i) =>
    Array.from({ length: width }, (_, j) => {
      let sum = 0;
      for (let m = 0; m < kernel; m++) {
        const line = image[i * stride + m * dilation - padding];
        if (!line) continue;
        for (let n = 0; n < kernel; n++) sum += used[m][n] * (line[j * stride + n * dilation - padding] ?? 0);
      }
      return sum;
    }),
  );
}

/** For each index along one axis of the input: does any window read it? */
export function readAlong(size, kernel, stride = 1, padding = 0, dilation = 1) {
  const read = Array(size).fill(false),
    count = outputSize(size, kernel, stride, padding, dilation).size;
  for (let i = 0; i < count; i++) {
    for (let m = 0; m < kernel; m++) {
      const at = i * stride + m * dilation - padding;
      if (at >= 0 && at < size) read[at] = true;
    }
  }
  return read;
}

/** Small whole numbers with an edge in them, to have something to convolve. */
export function exampleImage(size) {
  return Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => (2 * j + (i >> 1) >= size ? 3 : 0) + ((i * 7 + j * 3 + i * j) % 5 < 2 ? 1 : 0)),
  );
}

/** The Sobel kernel for vertical edges, and its likes in the other sizes. */
export function exampleKernel(kernel) {
  if (kernel === 1) return [[2]];
  const middle = (kernel - 1) / 2;
  return Array.from({ length: kernel }, (_, m) =>
    Array.from({ length: kernel }, (_, n) => Math.sign(n - middle) * (m === middle ? 2 : 1)),
  );
}

export const FILTERS = {
  identity: [
    [0, 0, 0],
    [0, 1, 0],
    [0, 0, 0],
  ],
  mean: [
    [1 / 9, 1 / 9, 1 / 9],
    [1 / 9, 1 / 9, 1 / 9],
    [1 / 9, 1 / 9, 1 / 9],
  ],
  "sobel-vertical": [
    [-1, 0, 1],
    [-2, 0, 2],
    [-1, 0, 1],
  ],
  "sobel-horizontal": [
    [1, 2, 1],
    [0, 0, 0],
    [-1, -2, -1],
  ],
  sharpen: [
    [0, -1, 0],
    [-1, 5, -1],
    [0, -1, 0],
  ],
  laplacian: [
    [0, 1, 0],
    [1, -4, 1],
    [0, 1, 0],
  ],
};

// "china.jpg" of scikit-learn, by danielbuechele (Flickr), CC BY 2.0: photograph("china", shrink=4) of
// neuralnotes.data, rounded to 64 grays, one letter of base 64 a pixel, one line a row.
const PIXELS = `
xxxxxxxxxyyyyyyyyyyzzzzzzzzzzz00000z0000000001111111111222222222223333333333344444444555555556666666667777778888888888888888888888888888999899999999999999999+++
xxxxxxyxxyyyyyyyyzzyzzzzzzzzzz0zzz000000000111111111112222222222223333333333444444444555555566666666677777777877777878778888888888888899999999999999999999+++//+
xxxxxxyyyyyyyyyyyzzzzzzzzzzzz000000000000001111111111122222222222233333333333444444455555555566666666667667777777777777777788888888888999989999999999999++++++++
xxxxyyyyyyyyyyyyyzzzzzzzzzzzz0z0000000000001111111111122222222222233333333444444444455555566566666666666766777777777777777888888888888889998999999999+++++++++++
xxxyyyyyyyyyyyyzzzzzzzzzzzzzz0z00000000000010111111111122222222223333333333444444545555555665666666666666677777777777777778888888888888888999999999++//+++++++++
xxxyyyyyyyyyyyzyzzzzzzzzzzzz0z000000000001111111111111122222222223333333333444444555555555565666666666667677777777777777888888888888889988899999+++++++++99+++++
xyyyyyyyyyzyyyzzzzzzzzzzzzz0000000000000111111111111112222222222233333333333444455555555556656666666666667777777777777778888888888888888888999+++++++++++++99999
yyyyyyyyyyzzzzzzzzzzzzzzzzz0000000000000011111111vmpx122222222223333333333444444455555555566556666666666777777777777788888888888888888899999++++++++++++99999999
yyyyyyyyyzzzzzzzzzzzzzzzzz00000000000000011111112SRWgs222222222333333333344444444545555555665566666666677777777777788888888888888888988999+++++99999999999999999
yyyyyyyyyyzzzzzzzzzzzzzzz0000z0000000000111111112VQWfr1222222223333333433344444445555555556655666666666777777777778888888888888888899999999999999999999999999999
yyyyyyyzzyzzzzzzzzzzzzzzz000000000000001111111111dPRbu22222222233333333344444444454555555556556666666667777777777788888888888899999999999999999999999999999999++
yyyyyzyzzzzzzzzzzzzzzzzz0000000000000011111111111nWaf02222222223333333333444444444555555555556666666666777777777778888888888888899999999999999999999999999++++++
yyyyyyyzzzzzzzzzzzzzzzzz000000000000010011111111zgn4542222222233333333334444444444455555555566666666666777777778888888888888888888888899999999999999+++++++/////
yyyyzzzzzzzzzzzzzzzzzzzz000000000000001011111111kSTafw122222223333333334444444444445555555555566666666777777777778788888888888888888989999999999++++++++//////++
yyyyzzzzzzzzzzzzzzzzzz000z0000000000000111111111VMTVWdu2222222333333333344444444554555555555666666667777777777778888888888888888888888999999++++++++++++++++++++
yyyzyzzzzzzzzzzzzzz0zzz0000000000000001111111111aNYZZny2222222223333333344444444445555555555666666666777777777777788888888888888889899999+++++++++++++++++++++++
yyyzyzzzzzzzzzzzzzzz0zz000000000000111111111111oQLjVTbq1222222223333334444444444444555555555666666667777777777777788888888889999999999+++++++++++9999+++++++++++
yyyzzzzzzzzzzzzz0zzzzz000000000001111111111111tdOPpTPMZh22222223333333444444444444445555555666666666777777777778888888888899999999999++999999999999999++++++++++
yyyzzzzzzzzzzzzzz00z0000000000011111111111111seiVanfXQOXg1222333333333444444444444455555556666666676777777777788888888888888888889999999999999999999++++++++++++
zzyzzzzzzzzzzzz00000000000000111111111111110qeihUmffhZQQbbz2333333333344444444444445555555666666667677777777777777888888888888888989999999999999++++++++++++++//
yzzzzzzzzzz0zzzz00000000000000111111111111xlglshbrfccgYOPXVu333333333344444444444445555556666666667777777777777778788888888888899999999999999+++++++++++++////++
zzzzzzzzzz000000000000000010111111111111ypfhpsrgnjfgeccbPNWVj133333333444444444444455555556666666666667777777777778888888888888888999999999+++++++++++++++++++++
zyzzzzzzzz0000000000000000110111111111zrifmqtqoisigddffcaTNSWXt233333344444444444445555555666666666677777777777777888888888888888899999+9+++++++++++++++++++++++
zzzzzzzzzz00000000000000001110011111zsgimqtsrgmqndeggeddgdUONVWdys13444444444444445555555566666666667777777777777888888888888899999999999999++++++++++++++++++++
zzzzzzzzzz0000000000000001100zqy01wngekptstsibjncgheddffedeaSNRUVTd3333444444444545555555656666666667767777777788888888888899999999999999999+9999999999+++++++++
zzzzzzzz000000000000000000001ihqngehnqtsttutXnnffhgdfeffeffeeZSOPNVhrwz4434444455555555555566666666667777777778778888888898999999999999999999999999+++++++++++++
zzzzzzzz0000000000000000swttvtgehkptuvuvuupQXbegdefeffeeffgfeffZSQPQRQm33r244444445555555566666666666767777777777888888989989999999999999999999999999++++9+9++++
zzzzzzzz0000000000000000fihhekjrstvttssrqhOHLKRVaZbdbcddcbcccbcbZYXTPPZWkXb444445555555555666666666666677777777888888888888899999999999999999999999999++++++++++
zzzzzzz0000000000000000vWbimosstrspqkjcWQHHGJKGJLPQRTTTUVXZYXVYXVTQQONPcVSkx103445555555555666666666677777777778888888888888899999999999999999999999+9++++++++++
zzzzzz00000000000000001wVHNTbXbRUMLKHGGGFEEFFIGEEEHIGHHIHIJJKLMLLKIMPKMYmlbZbhlm45555555666666666666777777777778888888889888999999999999999999999+++++++++++++++
zzzz0000000000000001100wbDGFHFFFHDEDDDDEDFEHGFGHHGGGFHFHFHGHGHHHIIIRIHKPXcjkibal45555555566666666677777777777877888888888888999999999999999+++9999++++++++++++++
zzzz0000000000000000111tSHFGGEFEFDEDDEEEFEEFGFGIIKHNHNIMJKJKJJJIKKNPLKIIJOUZdgdby555555556666666666777777777777778888888888999999999999999999+9++9++++++++++++++
zzzz0000000000000000110gOIDDHHFEDFEFFFGHJIJLLbUUXVTRTRRQPRQRQPPNMOMMKKKJJJILORo55555555666666666666677777777777778888888888899999999999999999999+9++++++++++++++
yzzzzz000000000000000111wiKFEEKMHMMOSTTUVXUWXYYUedbZfgfihfkhhYefWfiYTNKKKLNNgz55555555566666666666667677777777778888888888888999999999999999999++999+799989+++++
xzzz0000000000000000001111raJDSQVUTUURRPPLOKJJNOQNOPRQOPPPPPQWTUQaempngZOVl14455555555555666666666666777777777787888888888888899999999999999999+999902205n5+++++
zzzzzzz00000000000001001111zoYQMJLLKQOSTTXMKQPLQeQLQhiahhZjgMOVZLUTYZfhljn4444545555555555566666667777777777778877888888888898899999999999999999998zmqrgktw29+++
ovzzz000000000000001110111111eOKPUKNaVaYVbMJQPLQfRKShibhhbjhLOWeLUTdgedSWl4444454555555555566666666666777777777788888888888888999999999999999999990capqahldt9+++
hszzzzzz000000000000000111111nKJOUKNbVbZVXMINLKPTPKPUWUYYVaZNOVaMUVdhhiVWo444444555555555556666666667766777777777778888888888889999999999999999999rdd01felis5369
bszzzzz0000000000000001111111wJJMPJKMKJIIIIJINNPNOLNNOOOPQRRRPQRQZfafgiVWm444444445555555555666666666676677777777777888888888888889999999999999999iThstwli2trqy7
auzzzzzzz000000000001111111zxwJIHIIIIJJJKKLLNUSQWVVUUTUTUUUUUUUaYabZckidjm444445454555555556666666666667767777777777777888888888898999999999999998tXnibp0173qnx3
nyzzzzzz00z000000000011000sTjhKKLLMMLLLKMLKKXYWTRQPRSSRUSTTUSTZbZXKJVmppskv4p44455545555555555566666666666667777777777878888888888888889999999997oegbZjns0tomrme
cxzzzzzzzzz0000000000yxyvruMLLKJKKLMLLLLKLLKXlXRRQQRRQQQPPOQVXXYXTLKKPTYdldaTm244445555555555556666666666666667777777777788888888888888989999999xhfmeWhpblcminmi
htzzzzzzzzzz000000000cbdXOLKJLJJKKLMMNNMNMOLZabbaZZYZZYZaaVZaZZXZZXVQMLNWmjbWfgosr244455555555555566666666666666777777777788888888888888888888865wklkbbhabObZfzi
qmyzzzzzzzzz00000000zbNLKNLLLLKMOONONOORVeRHUSWZYXXZdbbZYXZYZYYZZZYWUQPOPkponjbWUWw444455555555555556666666666666777777777777788888888888888888unkpxvgZVahZZqjzx
Yhrzzzzzzz0z00000000sNKLLMOMLLMNLNNPPZgcZQIHKJMRUUTUVVVTSUVUWWWWVVUSQOQOMajllljhdcl4444445555555555555666666666666677777777777778888888888888884kgrpvueaWYVl0p19
Xnzwrzzzzzzzzz000000xYFHIHJJIJJKIIIJIKKJIIIJWRNMLMLMLMNLOMNNMONMMPRRUPVPJRZbcdfhhy3444445455555555555555666666666666677777777777777778888888888fokdefnhWWUYaeysz
dpxihyzzzzzzzzzz0000ziHDJJKKJJIJJJIJJIJKLNPQTbWUSRSSVRRSRSPTQTQVTUVWYXiaWXXVUWbc044444444455555555555555565566666666666667777777777777777888888xmwcsslWVVTWfXaZd
bkaakqsxpzzzzzzzzzzzzzquQRRSSSPRSTSUVTRSWTTXUZggcbfcYgdbVVUUWdeacbXXechjlkmlnimo344444444444444455555555555555666666666666677777777777777777778723cwz1bXSWVTWYeW
bXYYcbhmkvzzzzzzzzzzzz0zgQWLMWPVPFGEEOVPRFEMRTaQHEQbVaUMLLKHGQVUaNKFVaePZdPNVjyl233444444444444444555555555555555666666666666667777777777777776wt1opZiaTdaQVWWZm
ZcaTXUeXZjtxzzzzzzzzzzzzaMvVFHKJEFFEHIJJGEEEHNLOKLHHQPOORORMPIHOQOPGRMdNTUQNWh3e33333334444444444444445555555555555556666666666666677777777775lVcitpXOSZVbThYSRW
YYYWfnjSWaYqyyzzzzzzzzzzdJ0YHGHFFHHGJIHIIGGHHNMQOQKJQTSSUQUPTLIPTPRHRPcOVUTPWg3e33333333333333333443444444444444445455555555555556555555656663aQUtiWTOjcWcUdTWcg
TYbdiikdfcZmwxxxwwyzyzzydJyYHHHGHIIGMIJIJGHJIOMSQTMJRVURXQXPWMIOVQSHTVdOaUUUUg0d0111111111121222222232222222222222332232333333334333433444440uTNQadVbVXPZgSliZZg
PXVZcZfeigfhrvwzxwywwxxwbJwXHHHHGGKHNILJKFHJIOKSQTMHQWVSYQXPWNHOVQSGTTcNbUXRUfydyzzzyzzzzzz0zz00000000000z0zzz0000111111111111111111111122xssgVSXZYYchPQVkbitqpb
YbYUSdVebdgowvvxwvxuvwwvbJwaGGHHGGJHMIKIKFHKIPLSRTMHQWWRXVXPWNHOVQSGZXbUdVcgWgxfxxwxxyxxxxxxxxxxxxxyyyyyyxyxxxxxxxxyyyzzzzzzzzzzzzzzzzzzzvahfhpbVRQQTOMRRbSVZZVa
ebYZbbYbSWYotuokktutttttaItYGFHGGFMGLMKILFHIHVLRQSMHTTVPVSWMTNHOWQTLgZbfjeipjkpkvxxxuuwwwxvvvvvvvvvwwvvvvwwwwwwvwwwwwwxxxxxxxxxxxxxxxxxyypYYUWbOPTTPQTTWgdXUnZdh
ddYbcYXYWYVhjhecYsrqrrrqYIUQIIIJIILIMMKILILMKVUXUVXRUcUXZRYWUXQQeXVWfZbmlhhgiiihrtssssssttttuusuuuutttttuuuuuuuvvvvvvvwx2222210000000000rniibeYUORYWVSTSidiQiWVZ
hdecUVYWYYaacXUZZfoqoopqYHPNKIHIJKJINJMHJJKJJVXVPUURUYSUUTVVVVPRaWWWZWaefgghgfjnvvpqrqoppppqrqsrssssssststttsuuuvwwxzz012221222222222222karlklwkaRQXTSPRVWSINOLP
iaYQUTUVfeaWVULafdbtstvmRHKHFFHFFFFFFFFHFFGHJWaUVXUPUXTTUTUUUTVQZWYabcfnrtwuvwwtqoopppppqoopqqqsrrtttutuuvvqqrtqsutvqsu0000y021122221111sXdicljfYNQTRRSOORVIMTeb
ibUVYUXXaWabWaZXggiuvqrbXSTTTSSRRSSSSRQQRSSXYeljllljhkijkjiikklkkjjihhgdoppnqonmnnpppqrrsussstsrrrrsstssttooooopqrrrppopqrrrsz11111101111fhhYSUeXVQNUTPNOPNJNTNM
UaWZbYacYeZaZedbfhYnlnpNJJLKKKJJLLMLMMKNMLMNRcbXXYXXWWWVUVVVVXVVUVVXXXXVkmpopmkgittuwvvuvwvvvwvwwvvvvuuuutoooopopqrrpppopopsv101122101110bobWLMNXUTPSOZNPMTLOROQ
RZaWaXZZeXUYfcdYeXfjiihQIIIJJIHHJJJJJIIJJIJLNYZXWYVXXWWVWVVVVXVUUTVVXUVUgihmmjjkgqklwxxxyxxwryyyzzzzyzzz0ztrrqrrrsssrrrqqstvw212121111111jdTiZXbRTOMaUOLMQUPOPOU
WTWXXbdXggacheeNaZfhgWPSKHFGGGFGGGGGGFFGGGHILUTSRSQQRRRSRRQSSRRNOUTUVRUdkjlnmrppobTYsutxyyyyyyyyyzyzzz0000yvvwvvvvvvuuvvvwvwz222210111111uTXqejKPNKJMMILLNUUNORc
ORQUebgbedfdceddceeccQIKKJJMNMKMNNONNNKLMMMKRNPYYXZYPUYYWXWVVVURSVTTSPQccipoolnnmlecZdeeyyyyyyyzzxzz000000zyyyyxxyyyxxyzyzz01122222222111uaerfVSOPIHHQYVcZKMMOPY
PUXZfdbhiehiihjghSNKILMOGIJJJJIIIIIJIJJKJJJIcOPSTSSSSTUUXVUVVWWYXbZbdfZQKNnpmnmomnnkibWdyyxyyyzzzxyyzzzzzzzyyyyzyzzzzzz0z0001122222111111mx10iXVckTPUnQPdRONHJLf
PWenfceihijjjknnlUIKNLMJIIHHHHGGGGFGHHIIIJJLfdYXbZdbdZZYXXVYYZYXYYZYYVTLIMXggnomnonojdbesyyyyyyyyyyyyyyzzzzyyzywzzzzzz0z0000y0111111222z1cdnkYSXmsWRUSLgPOOJKMMS
NXbffegefjkjinpjdMNOOLMPNNLLLKKJIIHHHIIJJHIQfiaYXUVXUWXYYZYaaZYYYaddbcaVULIKMhnonlliigpxxxxxxxxyyyyyxyyyyyyyyyywyzzzzzz000000001100111111jSbVfgbibVJKJMfZUGHKPSN
VWbddbbbjjjifgjoQOMNNQPPROQOOOONNOLMLLPOLMUeokffdcbedabadcaaacdfdcdcbbbabZSLMgmkjkihdrwwwxwwwwxxxxxxxxxxxxxxxxxxyyyyyzzzzzz00000001101111gcseusuVLOIIGMYWNHNKPOO
ZeeVcieeggijggiiKNKNNPRRPQPQTRRQQPOPOQSXdbWjhghffddcfecfbbbaZZZcbedddcbZWUQNLTigfadjjrwwwwwvwvwwxxxxxxxxwwxxxxxxxxxyyyzzyuzzzzz000000yz11yztvxYeURKHGHVKGKHMIMKM
bfaZbkgghkpolijaRIHKMMMNOOQQPQSRYdfdbgmpkaNcbbbeeecbcbbcbaaaZZYYYWXVWVVUSNPRMPWbejgvitvvwwwwwwwwxxxxxxxxxxxwwwwwwxxxuwxyyyzzzzzz0000tvwyzz1uncVUkXTIFHdQIOKHLLMK
lgcdefhkijhjkginnmfWJIJJJLLNMQdklmnjlnmnbLLVQXYZZXZXYWVVXTSTSSUTTRRPQPOOPQSYafdmwVlvctuuvvvwwwwwwwwwwwwwwvuvvwwwwwwxwxxyyzzzzzzz00zxvynmvs0cPZshbTIHJMOFHIGGRLQM
kkhghjkkhiklkkmnooooMJHIFGGGGGJKKPOQVVSLHIILJIKOQRQPPONOOPPMNOLNMNOOQRUUZaWnYdeZwNivctvvvvvvvvuuuvvvvwvvuvtvvvvvvvwxxxyyyyyyyyzzzzvpnkggntvgOdkYFKLHIJEEHIGLMMHL
nmlllmmmlmnnmmnnnnomMOWVLQMJKLKIIIIHIIIJHIKOQPMMLONNPMPQQSTVWYXWXQWZUQPOTbRdJfSYwOhvdsuuuuuuuuuuvvwwvssvvvvvvvvvvvwwwwxxxxxxyyyzyvrkcVcdeptjWqqcKHOSIFEEGJKSLKFR
nmmmmmmmmmnnnnnnnnopOZmeClRJMJEGIIONMPOPPPQQVZZZaYXXYSVZZMLJIFCQXSZKHHHJJLSYKZUWrOgvervvvvuuuuuttvvvuuuuuuvuvvvvwwwwwxvuswxxxyyzuqqjPXTYbfmjNgmPMJKNEFHGGNINRSGT
lghgmmmmmmnnnnnnnoopQXnfCmJHFCBBBBFMMKGBBEPOTYUFCBCHLVTQICECEDCEEMJDHIIJMNOZLWTUhKcsgqvvvvvvvvvvuuuuuuuuuvvvvvvvwwwswtrrmwwwxvxuimfaSTPZddhgPcZKJHIDFDFGHLEKMiEP
ebSgjmnnnnnnnnnnnppnPPgaDcCGHCBBBBBCGBCBCBBJNOCDECECCFKEHEHEHGDFFMLEILJMNLOaQXUVaLXiipuvvvvvvvvvvvuuuuuuuvvvuvvwwwtmloknittussohhkkaYTUibfdXPNMHIHHFEDEFFEEHLOFN
eUUbdjnmmnnnnmmmmjmnQHfUDXDGEDBBCBBCGBCBCCBEKHCDGDGDCGMGKGJGIHEGFMMEIKJKOOPeUfWXdOgmknuuuuvvtrvvvvvvvuvuuuuvvvttvsmkigddikrojlhfdhegcgSchfeTaOPJJHIGJNEGDGHOSOCO
YXWaaimmmmmnmmmmmnnnRGVKCFFGFCCCCBBDGDDCDCBELICDHFHDDHNHLHKHJIEGGMOFIQKMUTQeTfWWpmijirzuuuuuuuuuuuuuuuuuuuttuursjffecYXWdgfecgfYcbUchgVcZafdZWNIHIHFFFFJIJObLYFO
WWYbechmmmmmmmmmmmnfNCEHCGIGFCCCCBBDHCDDDCBELIDEJGKDDGOINLMJJJFGFMNFITPOVTQeetejslgmw4vsuuuuuuvuuvvvvvvvuutqnongeYgeaXcZfchdaYXZYVXbZcZVZbdgddKKGIGEFFHJJKMOHOIO
cbadbglmmmmmmmmmmmmbLCEHCEGFFCCCCBBDHEDDDDBEMIDEJJIEDGNHJIJJKJFGFNRJIRSMVVTfmqjlikp21oiqtttttuuuuuuvvvupsqqibedcYdchiddaaYbZVZUUbZVTXXVUbUZdRSRGFEGEGEEFJFJIHHMM
cVYZdegllllllllklllRIFFGDFGHFCCBBBBCGCCDCCBEMIEEJHIEEGRKKIHGGGGFEOTILTWWZkThsmekp04sikjiptttuuuuuuuurttsrjhbcZWWbaYcfgZcSWgYYdbYQaYZRXbQYcbbWXNHEEEFHGEDFHJIIMGI
cbadaZcikhgibbechjeNFGIKJKJGIGEDCCBCHCCDDCBETIEEFFGGEGXGFGIMOQRTQQZUbehjXiQfhhgr5ulljehZmstttttsnpsrpkmqlgZXTWUVUXccagkTPYgadbXVVeYVXSRYUcXdcgQGEFEDEFFGNNLIMHGH
UbecbebcbVWUVXZYbVOMHFGFFGGFHIIIILKHHGGGDDCDTMFHJMPPRNXYUUXLVPWYPPZXaccbdnQflu3znhjkmsfTTopqqrsogiiihfgkfYYUUOQUScZcVXbSUgfekTaOLdYZeaTWaZbbebaLDCDCFHHFDEHGIIEH
XWUYdccbcUUQZXXXPOPQLIHGGGGFEFEGMIIQNIILMMNJScWUXXQUZQWXTVVVVUUTTPbhfcffhhgqx3qihihpsokaZbgbbqogccfffdbffROLJQNLUPUYTSLPhdUWWNQPOUWVVbXYWdWVSWRMDDCCFHGFFFFHEINP
YTWbWcYfgdWUbXPIHHNQSXYXVOPLQTHPZZXUOGGGIHIISYTVVUSSSPWXWXXYTaZdfipqvxyxtmifbjhjhntqnmkiieaVXnifddUYYbZcWQQMLJKMLRURKLNWWcYSUHJQQVZcYbWVYYRYQPKOHDDEFHIHGFFHJGSM
bYWaZWWdZaeYZVPJJLIFEEEGIKQZXaZXYabXcUFFGGHJSXXYWVYaYadgllqttutolhdaVTTTRRSSShiirtommnlmkidXaihfbYZXSTYZVSSLOOSQRSXRSKZZigXTMGHJKOSQWSWXVXZbTGGDHFGEFFFGDHLPNNQM
acVOXXaZbecXWXNHMMJHQQLRWHMPUXVQPUbaZcdbccZXeilosuvsvtpldcYUTTRRSRSRRSSTQRRSWilsqnmmkknmmjedccbaSWTTXTSQWPSKMQPQQNeRRRXVadfWPRPIJOJRWRZVWVVYZHHFJEIFGEEEDEFGILPO
bcYTVWgaYbcZTZaSMMOVadacZZYZaaWPOQXZccZZMQWdmhcYUTQPQRQVTURRUVRRRRRSRSTSRQNZdrtpmjjkkkmlkiiSRUQSVONNOQPOPNMXRMNPZPZZXTdWVSfeUOJOYQSTUMONMRTPOKDMCCEKJGECEDEHHJIW
WTUXZYeYcZZcaZYXUTVZUYcYcYRVZZcUTPTWYbaZKHIJVTRSTSSQPPPVVTRQQRSTSORUTVUUTROWkgnkjkjlkmligjUNSPPSKLIIKPMMNLNLQQQTSTTbeSQRTSWeWTHKMYSXWTMPPTMPUHDGEFFEFEECEDDEDEEP
URROYabbdZcfaYVbaZbcXZbYZUWVWWWYPPSRPVVKHHHHSUQSQRRQQRPQSUVVTUTSQPPPSVZaZYYWLLekjlkijjghhRQNNPMKLKIKPILNOIOLNPQMRZMQUTVWWVXTeeXWSRSYNSKQJIILQLDCCEFFFDEEEEECDCEH
PTTYecZWZaWccebZTYZUXWdcXSSOTPMXMOLRZZWPYTPLOOTRVTTURSQROOOMRTVXWWZZedaWYaZTGIahjmlligiieRWQVQOQPLLOQMLHKNIMMDITRSWRTbeOXcYSZfRVZTQNPOOMMHHINLDCCFJIGEEEEDEEEDJE
ZYRSYYXZZWUVVbYONPUUVacZbUPNONONTQPQYbaWYXTQMQVTWURSUXZaXXZbcaZUYYYYXXZbeeddbUTchilighhXdaWVTQPUTPORPQIHOMMQIIMMPMSSUXfXSaVTYebXaZUQNPVQKKNKPGDEFGFCCEGEEDFHGGLI
aYUQVVVZigbYUYccLROWNQYYVRLJPNPNPSRXYWaVZaYacbcbZcebYXZYXYaYYYXcffgffffdcchadWRRNPjggbdbXaUZPRRQQRNPNNGHQLLJMHQWNOONOQXaLQVcSaZTWPKHIRUIRTKPJGDDFFHFFDGGEEEEDGGH
YTXTUUVXcZZXZWUSRQRJNLOQdTURKOOLNSNUXXYVZWYbZXXaYaadWWZbedefeeeceehfefeeeeZYbZZWKLjjddYeeaWRXQJNOJKLSKHILGIGIIOTbPRKSUUJKFGSRdWVQOKPZfZPRTKFGEEIFFFDEFHFGEEDDEDF
VXbYSRXXWWXYWVaUPMQIKQYZTWXTNNNJOONUROWXVaRSYYXYYZZefddgdgfheeefdgddefcdddcabXZcWLZUVTQbbUQMPHKMQPNQOHFFFHMKJQJQPNPKKLGIGKIHTQRSSWJSVbgTTPMEDEFFGGGDEFHEGGFICJEC
UYZYSNOXSMXaYYcUUXXXRNVZTWWONLKPMPTSPRTVWZXXTWXWXYYZbeghbgeefffeeeegedcdacXYVSbbShfPWRSXSMQRLOQTOMIQQPJRKKFILKIJMUPKOILMMJEGMULUaRLNYUWVNPKGNGGEFHEIEEEEFGDKCDCC
abZYTUYXVMNPWYdYXXYYWUXZaTTPRNWVMVLNNOYaUSXYYaUXTZYZbfdededefddbZZaabXWYXWVbaajheebRffYQLONQOOWWYQXSLTVdKBDHHJNLOIGIJHQKNNGFKLSTXQHOMZKNUMLROHHFFHIGEDDCFEEGCECB
XVcUTYWecbMJIPVaVVTPSXZTbXYSUUWZUTPQNYXZUPYYVURRSWacbgdedecYZYYXaVUUTTTPSPXPTacYWhkYXaWNKHMNKEGLMOUTghYNECDEJOIKLFBEBCFINSHPTLORRIONKKPMMTSQTFFIFHEEDDDEEDEEEKCC
RaaUPSUYYebWaVbWVTPOPVQRddZQTbYQPQPOSSTNRRVYTRSTNVaYadZbabaZVSSSXRURPMKGZCRRPSYQSnhdYTQNLJKHEGJQNGRcXRZSGMKNKFGHNFEIKGCEMNHKGHHGMFJIKIQKROSMLDGEDCFDCDCDDDDEGJCC
VWRbZYccdidcdaYWMIINWUXXbcabXaWQQSQPNQWVRXYXSSSTROTccccWWZZbbWMWbXWVXKKGZBGHKSXRWifWWSMIJHHGFMSKTRQTKUYKIPLNOMLKMJHIFEJLKFEMHEEBDFHMYLGGHNKKIDEEEEEDDBCEEGCCEGBC
caUSVYfdbcheYacbMMXSYYVUSbXcabWaaWRSUUUQMOXVWTRRRQWXYYYVWYaYYcMNVZZWXTJGQCFLKRVYTjiXUPNHQOFFJROUZQQaXWTLHLLOQMMIIJMJHJKNMNLELKGEGEHLRHGFEJGOIFFDCDDCECCDDDDCCDBB
gbbZYVUbbedeYWaZWOVaaaXRRVXYabVcZaWYaZVNOSYUVXVWUPRWZYTTVSXWUZPMMUXUUaTNHFLPJSVZUhYQLMFILMQMSRSLPUabZNSOSTLIMLLMGKMNOGNKPMHFKGJFEEEHDEFGGEFEGEDBBDCCDCDDDCCHECBB
UWXWYQWaegfggZZXbbQcdcZUUTZWZYYbccZcXYWOSXWUVWaWXURVVYZTUUSYbYQRQYYYTXYXJPQQIZheRTLQVVIGIKFUQKOLMVjkZOOPSUOMQGHNHHJIJQRTNOIFGEFLHGGDDHEDHFEEEDDCCDCBBCCDCCDFDCBB
UWUUVTZVSbVYdZZcZdbZRZTaWYXcfZZffZabYaYURVWWYSTZXUTQSWTOSRRVYSNXTQXWVSYXLSSUPgokRTebTiNJLONMUMPXUWdhSVRQOPNKLMLILSPEMJNLPKHLJDEFGFGHNMGDECDDDEDDECDCCBDDCDDCBBBC
TTTQVVRUVWSTXZXZZaWWUSVVXWaZXYZcceZXbaWPVSUVRORPSXZUUZWMRPQYVTRRMJVYbaZaYXWVIimbSSdhYWLLULNKJNLJOSXVVNNMJKPMKONLRcIQUQGNMHGIDDCCCFKIMJEDDDFDDDDDEDDBDDGCCCCCCCAB
YXWVROPKLJNQRXXXZTWXXUVRSYaVVVYacebXZZaYYORVVTRNSWXVXaZTWQSbXYPKKNTWYZVSTWXYOZYRPRZRPTPTRUVLUdfWMILPMSKKMKOLJHRSeSLSSWTGMPGEBCBBEEGEHEEDCDDEDFCDCCECDFGEDCBBBBAB
bYYVPUOIMGLIKOPWXPaXXTRRRRUUXONTXWaZaTXdZQVXNRNNMPRYVVVUSQSZaZcNTPMPPYUPSZaZPYXYWUKTRNPOOTTQLWWaNMOMLPMJJIRGHPOTfNTUMUSTKKOHBCCDDDDDFDDCCDCKVOFFFFFCCEGDCCBBBCCC
`;

/** The photograph: rows of gray values from 0 to 1. */
export function photograph() {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return PIXELS.trim()
    .split("\n")
    .map((line) => Array.from(line, (letter) => letters.indexOf(letter) / 63));
}

// -------------------------------------------------------------------------------------------------------- drawing

const SIDE = 330,
  LEFT = 5,
  TOP = 24;

/** A number in a cell: whole numbers as they are, others with two decimals. */
const short = (x) =>
  (Number.isInteger(x) || Math.abs(x) >= 100 ? String(Math.round(x)) : x.toFixed(2))
    .replace(/^-(?=0(\.00)?$)/, "")
    .replace("-", "−");

function label(x, y, content, size, attributes) {
  return svg(
    "text",
    { x, y, "text-anchor": "middle", "dominant-baseline": "central", style: `font-size:${size}px`, ...attributes },
    content,
  );
}

/** What `handle` needs of a plot, for a board of cells: a and -b are the column and row of a window's first cell. */
function board(node, cell, reach, x, y) {
  const toA = (u) => (u - LEFT) / cell - reach / 2,
    toB = (v) => -((v - TOP) / cell - reach / 2);
  const grab = [0, 0];
  const raw = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
    return [toA(point.x), toB(point.y)];
  };
  return {
    X: (a) => LEFT + (a + reach / 2) * cell,
    Y: (b) => TOP + (reach / 2 - b) * cell,
    x,
    y,
    raw,
    at: (event) => raw(event).map((value, k) => value - grab[k]),
    grab: (event, a, b) => raw(event).forEach((value, k) => (grab[k] = value - [a, b][k])),
  };
}

/** A window that is dragged over a board: `onmove(row, column)` returns where it really goes. */
function frame(plotted, { label: name, step, content, at, onmove, text }) {
  const point = handle(plotted, {
    x: at[1],
    y: -at[0],
    label: name,
    step: [step, step],
    content,
    onmove: (a, b) => {
      const [r, c] = onmove(-b, a);
      return [c, -r];
    },
  });
  const move = point.move;
  point.move = (a, b) => {
    move(a, b);
    set(point.node, { "aria-valuetext": text(Math.round(-b), Math.round(a)) });
  };
  point.move(at[1], -at[0]);
  point.node.addEventListener("pointerdown", (event) => plotted.grab(event, point.x, point.y));
  return point;
}

/** window x kernel = products -> sum, as three small matrices. */
function strip(words) {
  const node = svg("svg", { viewBox: "0 0 340 108", role: "img" });
  const draw = (patch, weights, flip) => {
    const result = products(patch, weights),
      f = patch.length,
      cell = Math.min(28, 84 / f),
      gap = 16,
      all = 3 * f * cell;
    const start = (340 - all - 3 * gap - 40) / 2,
      top = 20 + (84 - f * cell) / 2;
    const matrices = [
      [patch, words.patch, "nn-ink"],
      [weights, flip ? words.flipped : words.weightsTitle, "nn-orange"],
      [result, words.products, "nn-ink"],
    ];
    const whole = matrices.map(([matrix]) => matrix.flat().every(Number.isInteger)),
      narrow = whole.filter(Boolean).length;
    // Decimals need more room than whole numbers.
    const thin = narrow % 3 ? Math.min(cell, 21) : cell,
      thick = narrow % 3 ? (all / f - narrow * thin) / (3 - narrow) : cell;
    let x = start;
    node.replaceChildren();
    matrices.forEach(([matrix, title, color], k) => {
      const wide = whole[k] ? thin : thick,
        left = x,
        group = svg("g", { class: color });
      group.append(label(left + (f * wide) / 2, top - 11, title, 11.5, { class: "nn-fill" }));
      matrix.forEach((line, m) =>
        line.forEach((value, n) =>
          group.append(
            svg("rect", { x: left + n * wide, y: top + m * cell, width: wide, height: cell, class: "nn-frame" }),
            label(left + (n + 0.5) * wide, top + (m + 0.5) * cell, short(value), f > 3 || narrow < 3 ? 10.5 : 12, {
              class: "nn-fill",
            }),
          ),
        ),
      );
      x += f * wide + gap;
      group.append(label(x - gap / 2, top + (f * cell) / 2, ["×", "=", "→"][k], 15));
      node.append(group);
    });
    const middle = top + (f * cell) / 2,
      left = x;
    node.append(
      label(left + 20, middle - 21, words.sum, 11.5),
      svg(
        "g",
        { class: "nn-orange" },
        svg("rect", { x: left, y: middle - 13, width: 40, height: 26, rx: 3, class: "nn-line" }),
        label(left + 20, middle, short(total(result)), narrow < 3 ? 12 : 14, { class: "nn-fill", "font-weight": 700 }),
      ),
    );
    set(node, {
      "aria-label": `${words.patch} ${say(patch)}; ${flip ? words.flipped : words.weightsTitle} ${say(weights)}; ${words.products} ${say(result)}; ${words.sum} ${short(total(result))}`,
    });
  };
  const say = (matrix) => matrix.map((line) => line.map(short).join(" ")).join(", ");
  return { node, draw };
}

// ----------------------------------------------------------------------------------------------------- the grid

function gridPart(host, shared) {
  const words = host.text,
    props = host.props;
  const setting = {
    size: props.image?.length ?? props.size,
    kernel: props.weights?.length ?? props.kernel,
    stride: props.stride,
    padding: props.padding,
    dilation: props.dilation,
  };
  let image,
    weights,
    out,
    at = [0, 0],
    seen = [],
    kernel,
    marked,
    texts;

  const sliders = Object.entries({ size: [4, 10], kernel: [1, 5], stride: [1, 4], padding: [0, 3], dilation: [1, 3] }).map(
    ([name, [min, max]]) => [
      name,
      slider({
        label: words[name],
        min,
        max,
        value: setting[name],
        show: String,
        oninput: (value) => {
          if (value === setting[name]) return;
          setting[name] = value;
          pace.pause();
          layout();
          host.changed();
          host.say(`${out.length ? words.output(out.length) : words.noOutput}. ${verdict.textContent}`);
        },
      }),
    ],
  );
  const formula = html("p", { class: "nn-formula" }),
    verdict = html("p", {}),
    note = html("p", {});
  const input = svg("svg", { viewBox: `0 0 340 ${TOP + SIDE + 6}`, role: "group" });
  const output = svg("svg", { viewBox: `0 0 340 ${TOP + SIDE + 6}`, role: "img" });
  const sums = strip(words);
  const pace = player(host, {
    rate: () => 3,
    step: () => {
      const n = out.length;
      if (!n) return false;
      const k = (at[0] * n + at[1] + 1) % (n * n);
      go(Math.floor(k / n), k % n);
      kernel.move(at[1] * setting.stride, -at[0] * setting.stride);
      return k < n * n - 1;
    },
  });

  function layout(position, visited) {
    const { size, kernel: f, stride, padding, dilation } = setting;
    image = props.image?.length === size ? props.image : exampleImage(size);
    weights = props.weights?.length === f ? props.weights : exampleKernel(f);
    out = conv2d(image, weights, { stride, padding, dilation, flip: shared.flip });
    const n = out.length,
      padded = size + 2 * padding,
      reach = dilation * (f - 1) + 1,
      cell = SIDE / Math.max(padded, reach);
    const found = outputSize(size, f, stride, padding, dilation),
      read = readAlong(size, f, stride, padding, dilation);
    // Half of the output is there from the start: one sees at once what the window makes.
    at = position ?? (n ? [Math.floor(n / 2), Math.floor((n - 1) / 2)] : [0, 0]);
    seen = visited ?? Array.from({ length: n * n }, (_, k) => k <= at[0] * n + at[1]);

    input.replaceChildren(label(170, 12, words.input(size, padded), 13, { class: "nn-title" }));
    set(input, { "aria-label": words.input(size, padded) });
    const high = Math.max(1, ...image.flat().map(Math.abs)),
      small = clamp(cell * 0.4, 10.5, 16),
      up = cell > 33 ? cell * 0.1 : 0;
    for (let r = 0; r < padded; r++) {
      for (let c = 0; c < padded; c++) {
        const x = LEFT + c * cell,
          y = TOP + r * cell,
          value = image[r - padding]?.[c - padding];
        const inside = value !== undefined;
        input.append(
          svg("rect", {
            x,
            y,
            width: cell,
            height: cell,
            class: inside ? "nn-cell nn-blue" : "nn-cell nn-pad",
            "fill-opacity": inside ? (0.45 * Math.abs(value)) / high : 0,
          }),
        );
        if (inside && !(read[r - padding] && read[c - padding])) {
          const d =
            [0.25, 0.5, 0.75, 1].map((t) => `M${x} ${y + t * cell}L${x + t * cell} ${y}`).join("") +
            [0.25, 0.5, 0.75].map((t) => `M${x + t * cell} ${y + cell}L${x + cell} ${y + t * cell}`).join("");
          input.append(svg("path", { d, class: "nn-hatch nn-purple" }));
        }
        input.append(
          label(x + cell / 2, y + cell / 2 - up, short(value ?? 0), small, { class: inside ? "nn-number" : "nn-number nn-zero" }),
        );
      }
    }

    output.replaceChildren(label(170, 12, n ? words.output(n) : words.noOutput, 13, { class: "nn-title" }));
    const place = (k) => [LEFT + (SIDE - k * cell) / 2, TOP + (SIDE - k * cell) / 2];
    const [left, top] = place(n),
      [left0, top0] = place(size),
      most = Math.max(1, ...out.flat().map(Math.abs));
    texts = [];
    for (let k = 0; k < n * n; k++) {
      const i = Math.floor(k / n),
        j = k % n,
        x = left + j * cell,
        y = top + i * cell,
        value = out[i][j];
      const shade = svg("rect", {
        x,
        y,
        width: cell,
        height: cell,
        class: `nn-cell ${value < 0 ? "nn-orange" : "nn-blue"}`,
        "fill-opacity": (0.45 * Math.abs(value)) / most,
        onclick: () => visit(i, j),
      });
      const text = label(x + cell / 2, y + cell / 2, short(value), small, { class: "nn-number" });
      texts.push([shade, text]);
      output.append(shade, text);
    }
    output.append(svg("rect", { x: left0, y: top0, width: size * cell, height: size * cell, class: "nn-dotted" }));
    if (size > n)
      output.append(
        label(170, top0 + size * cell - Math.min(9, cell / 2), words.inputSize(size), 11, { class: "nn-number nn-zero" }),
      );
    marked = svg("rect", { width: cell, height: cell, rx: 2, class: "nn-mark nn-orange" });
    if (n) output.append(marked);

    if (n) {
      const half = (reach * cell) / 2,
        content = svg(
          "g",
          { class: "nn-orange" },
          svg("rect", { x: -half, y: -half, width: 2 * half, height: 2 * half, class: "nn-window", rx: 3 }),
        );
      (shared.flip ? flipped(weights) : weights).forEach((line, p) =>
        line.forEach((value, q) => {
          const x = q * dilation * cell - half,
            y = p * dilation * cell - half;
          content.append(svg("rect", { x, y, width: cell, height: cell, class: dilation > 1 ? "nn-read nn-apart" : "nn-read" }));
          if (cell > 33)
            content.append(
              svg(
                "text",
                { x: x + cell - 3, y: y + cell - 4, "text-anchor": "end", class: "nn-fill nn-weight" },
                `×${short(value)}`,
              ),
            );
        }),
      );
      const last = (n - 1) * stride,
        plotted = board(input, cell, reach, [0, last], [-last, 0]);
      kernel = frame(plotted, {
        label: words.window,
        step: stride,
        content,
        at: [at[0] * stride, at[1] * stride],
        text: (r, c) => words.place(Math.round(r / stride), Math.round(c / stride)),
        onmove: (r, c) => {
          pace.pause();
          const [i, j] = [r, c].map((value) => clamp(Math.round(value / stride), 0, n - 1));
          if (i !== at[0] || j !== at[1]) {
            go(i, j);
            host.changed();
          }
          return [i * stride, j * stride];
        },
      });
      input.append(kernel.node);
      input.onclick = (event) => {
        if (kernel.node.contains(event.target)) return;
        const [c, b] = plotted.raw(event);
        visit(...[-b, c].map((value) => clamp(Math.round(value / stride), 0, n - 1)));
      };
    } else {
      kernel = null;
      input.onclick = null;
      input.append(
        svg(
          "g",
          { class: "nn-orange" },
          svg("rect", { x: LEFT, y: TOP, width: reach * cell, height: reach * cell, class: "nn-window" }),
        ),
      );
    }

    const { room } = found,
      missing = size * size - read.filter(Boolean).length ** 2;
    const top1 = "N + 2P − D(F − 1) − 1",
      top2 = `${size} + 2·${padding} − ${dilation}·(${f} − 1) − 1`;
    formula.replaceChildren(
      equation(top1, "S"),
      " = ",
      equation(top2, stride),
      ...(n ? [" = ", equation(room, stride), " = ", html("strong", {}, String(n))] : []),
    );
    verdict.textContent = n
      ? `${found.rest ? words.rest(room, stride, found.rest) : stride === 1 ? words.grows(short(n - size)) : words.fits(room, stride)} ${words.unread(missing, size * size)}`
      : words.covers(reach, padded);
    for (const item of pace.nodes) item.disabled = !n;
    sums.node.style.visibility = n ? "" : "hidden";
    update();
  }

  const equation = (above, below) =>
    html(
      "span",
      { class: "nn-whole" },
      html("span", { class: "nn-floor" }, "⌊"),
      html(
        "span",
        { class: "nn-fraction" },
        html("span", {}, String(above)),
        html("span", { class: "nn-over" }, " / "),
        html("span", {}, String(below)),
      ),
      html("span", { class: "nn-floor" }, "⌋"),
      " + 1",
    );

  function visit(i, j) {
    pace.pause();
    go(i, j);
    kernel.move(j * setting.stride, -i * setting.stride);
    host.changed();
  }

  function go(i, j) {
    at = [i, j];
    seen[i * out.length + j] = true;
    update();
    host.say(words.said(i, j, short(out[i][j])));
  }

  function update() {
    texts.forEach(([shade, text], k) => {
      shade.style.fill = seen[k] ? "" : "transparent";
      text.style.display = seen[k] ? "" : "none";
    });
    const n = out.length;
    note.replaceChildren();
    if (!n) return set(output, { "aria-label": words.noOutput });
    const [i, j] = at,
      { kernel: f, stride } = setting,
      shade = texts[i * n + j][0];
    set(marked, { x: shade.getAttribute("x"), y: shade.getAttribute("y") });
    sums.draw(windowAt(image, f, i, j, setting), shared.flip ? flipped(weights) : weights, shared.flip);
    const [name, middle, value, end] = words.cell(i, j, i * stride, j * stride, f * f, short(out[i][j]));
    note.append(html("strong", {}, name), middle, html("strong", {}, value), end);
    set(output, {
      "aria-label": `${words.output(n)}. ${out.map((line, r) => line.map((y, c) => (seen[r * n + c] ? short(y) : "·")).join(" ")).join("; ")}`,
    });
  }

  layout();
  return {
    nodes: [
      html("div", { class: "nn-sliders" }, ...sliders.map(([, control]) => control.node)),
      html("div", { class: "nn-size" }, formula, verdict),
      row(...pace.nodes),
      html("div", { class: "nn-panels" }, html("div", {}, input, sums.node), html("div", {}, output, note)),
    ],
    layout: () => layout(at, seen),
    pause: pace.pause,
    state: () => ({ ...setting, at, seen: seen.map(Number).join("") }),
    set: (state) => {
      pace.pause();
      for (const [name, control] of sliders) {
        control.value = state[name] ?? setting[name];
        setting[name] = control.value;
      }
      const n = outputSize(setting.size, setting.kernel, setting.stride, setting.padding, setting.dilation).size;
      const given = n && state.at?.length === 2 && state.at.every(Number.isFinite);
      const position = given ? state.at.map((k) => clamp(Math.round(k), 0, n - 1)) : undefined;
      layout(position, state.seen?.length === n * n ? Array.from(state.seen, (digit) => digit === "1") : undefined);
    },
  };
}

// ------------------------------------------------------------------------------------------------ the photograph

function photoPart(root, host, shared) {
  const words = host.text,
    image = photograph(),
    height = image.length,
    width = image[0].length,
    cell = SIDE / width;
  let weights = FILTERS[host.props.filter].map((line) => [...line]),
    out,
    at = [36, 28]; // on an edge

  const entries = [0, 1, 2].map((m) =>
    [0, 1, 2].map((n) =>
      html("input", {
        type: "number",
        step: "any",
        "aria-label": words.entry(m, n),
        oninput: () => {
          const text = entries[m][n].value,
            good = text.trim() !== "" && Number.isFinite(+text) && Math.abs(+text) <= 1000;
          set(entries[m][n], { "aria-invalid": !good });
          if (!good) return;
          weights[m][n] = +text;
          preset.value = named();
          draw();
          host.changed();
        },
      }),
    ),
  );
  const preset = choice({
    label: words.filter,
    value: host.props.filter,
    options: [...Object.keys(FILTERS).map((name) => [name, words.filters[name]]), ["own", words.own]],
    onchange: (name) => {
      if (name in FILTERS) weights = FILTERS[name].map((line) => [...line]);
      fill();
      draw();
      host.changed();
      host.say(note.textContent);
    },
  });
  const close = (a, b) => a.flat().every((x, k) => Math.abs(x - b.flat()[k]) < 1e-3);
  const named = () => Object.keys(FILTERS).find((name) => close(FILTERS[name], weights)) ?? "own";
  function fill() {
    entries.forEach((line, m) =>
      line.forEach((entry, n) => {
        entry.value = String(+weights[m][n].toFixed(3));
        set(entry, { "aria-invalid": false });
      }),
    );
  }

  const panel = (title) => {
    const node = svg(
      "svg",
      { viewBox: `0 0 340 ${TOP + height * cell + 6}`, role: "group", "aria-label": title },
      label(170, 12, title, 13, { class: "nn-title" }),
    );
    return node;
  };
  const source = panel(words.photograph(height, width)),
    result = panel(words.result(height - 2, width - 2));
  const before = heat({ x: LEFT, y: TOP, width: SIDE, height: height * cell, rows: height, columns: width });
  const after = heat({
    x: LEFT + cell,
    y: TOP + cell,
    width: SIDE - 2 * cell,
    height: (height - 2) * cell,
    rows: height - 2,
    columns: width - 2,
  });
  const gray = (x) => Array(3).fill(Math.round(255 * clamp(x, 0, 1)));
  before.draw((i, j) => gray(image[i][j]));
  const outline = svg("rect", { x: LEFT, y: TOP, width: SIDE, height: height * cell, class: "nn-dotted" });
  const ring = () =>
    svg(
      "g",
      { class: "nn-ring" },
      ...["nn-halo", "nn-core"].map((name) => svg("rect", { x: -9, y: -9, width: 18, height: 18, rx: 2, class: name })),
    );
  const mirror = ring(),
    sums = strip(words),
    note = html("p", { class: "nn-note" }),
    value = html("p", {});
  const plotted = board(source, cell, 3, [0, width - 3], [3 - height, 0]);
  const probe = frame(plotted, {
    label: words.window,
    step: 1,
    at,
    content: ring(),
    text: (r, c) => words.place(r, c),
    onmove: (r, c) => {
      const next = [clamp(Math.round(r), 0, height - 3), clamp(Math.round(c), 0, width - 3)];
      if (next[0] !== at[0] || next[1] !== at[1]) {
        at = next;
        point();
        host.changed();
        host.say(words.said(at[0], at[1], format(out[at[0]][at[1]])));
      }
      return next;
    },
  });
  source.append(before.node, probe.node);
  source.onclick = (event) => {
    if (!probe.node.contains(event.target)) {
      const [c, b] = plotted.raw(event);
      at = [clamp(Math.round(-b), 0, height - 3), clamp(Math.round(c), 0, width - 3)];
      probe.move(at[1], -at[0]);
      point();
      host.changed();
    }
  };
  result.append(outline, after.node, mirror);

  function draw() {
    out = conv2d(image, weights, { flip: shared.flip });
    const sum = total(weights);
    const sizes = out
        .flat()
        .map(Math.abs)
        .sort((a, b) => a - b),
      limit = sizes[Math.floor(0.99 * sizes.length)] || sizes.at(-1);
    const signed = sum < 1e-6,
      colors = palette(root);
    after.draw((i, j) => (signed ? diverging(colors, limit ? out[i][j] / limit : 0) : gray(out[i][j])));
    const cut = out.flat().filter((x) => x < -1e-9 || x > 1 + 1e-9).length / sizes.length;
    note.textContent = [
      Math.abs(sum) < 1e-6
        ? words.sumZero(`±${format(limit)}`)
        : signed
          ? words.sumNegative(format(sum), `±${format(limit)}`)
          : words.sumPositive(format(sum), cut ? format(100 * cut, 2) : ""),
      shared.flip && close(flipped(weights), weights) ? words.same : "",
    ].join(" ");
    point();
  }

  function point() {
    const [r, c] = at;
    set(mirror, { transform: `translate(${plotted.X(c)} ${plotted.Y(-r)})` });
    sums.draw(windowAt(image, 3, r, c), shared.flip ? flipped(weights) : weights, shared.flip);
    const [name, middle, number, end] = words.pixel(r, c, format(out[r][c]));
    value.replaceChildren(html("strong", {}, name), middle, html("strong", {}, number), end);
  }

  fill();
  preset.value = named();
  draw();
  host.theme(draw);
  const link = (text, href) => html("a", { href }, text);
  return {
    nodes: [
      html(
        "div",
        { class: "nn-row" },
        preset.node,
        html("div", { class: "nn-entries", role: "group", "aria-label": words.kernelEditor }, ...entries.flat()),
      ),
      html("div", { class: "nn-panels" }, html("div", {}, source, sums.node), html("div", {}, result, value, note)),
      html(
        "p",
        { class: "nn-note nn-credit" },
        words.credit,
        " ",
        link("danielbuechele", "https://www.flickr.com/photos/danielbuechele/6061409035/"),
        ", ",
        link("CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/"),
        ", ",
        words.changed,
      ),
    ],
    layout: draw,
    pause: () => {},
    state: () => ({ filter: weights.flat().map((x) => +x.toFixed(4)), spot: at }),
    set: (state) => {
      const given = state.filter;
      if (Array.isArray(given) && given.length === 9 && given.every(Number.isFinite)) {
        weights = [0, 1, 2].map((m) => given.slice(3 * m, 3 * m + 3));
        if (named() !== "own") weights = FILTERS[named()].map((line) => [...line]);
      }
      if (Array.isArray(state.spot))
        at = [clamp(Math.round(+state.spot[0]) || 0, 0, height - 3), clamp(Math.round(+state.spot[1]) || 0, 0, width - 3)];
      probe.move(at[1], -at[0]);
      preset.value = named();
      fill();
      draw();
    },
  };
}

// --------------------------------------------------------------------------------------------------------- mounting

function create(root, host) {
  const words = host.text,
    shared = { flip: host.props.flip };
  let mode = host.props.mode;
  const parts = { grid: gridPart(host, shared), photo: photoPart(root, host, shared) };
  const tabs = Object.keys(parts).map((name) => [
    name,
    button({
      label: words[name],
      onclick: () => {
        open(name);
        host.changed();
      },
    }).node,
  ]);
  const flip = toggle({
    label: words.flip,
    value: shared.flip,
    onchange: (yes) => {
      shared.flip = yes;
      for (const part of Object.values(parts)) part.layout();
      host.changed();
    },
  });
  function open(name) {
    mode = name;
    for (const part of Object.values(parts)) part.pause();
    for (const [key, tab] of tabs) set(tab, { "aria-pressed": key === mode });
    place.replaceChildren(...parts[mode].nodes);
  }
  const place = html("div", { class: "nn-body" });
  root.append(
    html(
      "div",
      { class: "nn-row" },
      html("div", { class: "nn-row", role: "group", "aria-label": words.modes }, ...tabs.map(([, tab]) => tab)),
      flip.node,
    ),
    place,
  );
  open(mode);
  return {
    state: () => ({ mode, flip: shared.flip, ...parts.grid.state(), ...parts.photo.state() }),
    set: (state) => {
      shared.flip = flip.value = state.flip ?? shared.flip;
      for (const part of Object.values(parts)) part.set(state);
      if (state.mode in parts) open(state.mode);
    },
  };
}

export const { mount, render } = figure({ name: "convolution_arithmetic", defaults, strings, create });
export default { render };
