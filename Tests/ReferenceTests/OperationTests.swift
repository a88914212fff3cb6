import Reference
import TestSupport
import Testing

/// Each operation against values worked out by hand, or computed elsewhere to many digits.
struct OperationTests {
    @Test func matmulOfKnownMatrices() {
        let out = matmul([1, 2, 3, 4], [1, 0, 0, 1, 1, 1], bias: [0, 10, 20], m: 2, n: 3, k: 2)
        #expect(out == [1, 12, 23, 3, 14, 27])
        #expect(matmul([1, 2], [3, 4], m: 1, n: 1, k: 2) == [11])
    }

    @Test func layerNormOfKnownRows() {
        // mean 2, variance 1, then mean 0, variance 0
        let out = layerNorm([1, 3, 0, 0], weight: [2, 3], bias: [0.5, -0.5], eps: 0)
        #expect(Array(out[0..<2]) == [-1.5, 2.5])
        #expect(out[2].isNaN)  // eps 0 divides 0 by 0
        #expect(layerNorm([0, 0], weight: [2, 3], bias: [0.5, -0.5], eps: 1e-12) == [0.5, -0.5])
        #expect(maxAbsDiff(layerNorm([1, 3], weight: [1, 1], bias: [0, 0], eps: 3), [-0.5, 0.5]) < 1e-15)
    }

    @Test func softmaxOfKnownRows() {
        #expect(softmax([0, 0, 1000, 1000], width: 2) == [0.5, 0.5, 0.5, 0.5])
        #expect(softmax([-1000, 0], width: 2) == [0, 1])
        #expect(maxAbsDiff(softmax([0, 1], width: 2), [0.2689414213699951, 0.7310585786300049]) < 1e-15)
    }

    @Test func attentionOfOneKeyReturnsItsValue() {
        let (z, pattern) = attention(q: [1, 2], k: [3, 4], v: [5, 6], heads: 1, tokens: 1, headDim: 2)
        #expect(z == [5, 6])
        #expect(pattern == [1])
    }

    @Test func attentionScalesByTheHeadWidth() {
        // One head of width 4: scores 0 and 2 divided by sqrt(4).
        let q = [1.0, 0, 0, 0, 0, 0, 0, 0]
        let k = [0.0, 0, 0, 0, 2, 0, 0, 0]
        let (_, pattern) = attention(q: q, k: k, v: q, heads: 1, tokens: 2, headDim: 4)
        #expect(maxAbsDiff(pattern, [0.2689414213699951, 0.7310585786300049, 0.5, 0.5]) < 1e-15)
    }

    @Test func headsSplitAndJoin() {
        #expect(splitHeads([1, 2, 3, 4, 5, 6, 7, 8], heads: 2, tokens: 2, headDim: 2) == [1, 2, 5, 6, 3, 4, 7, 8])
        var random = SplitMix64.fresh()
        let x = random.doubles(2 * 3 * 5)
        let there = splitHeads(x, heads: 3, tokens: 2, headDim: 5)
        #expect(joinHeads(there, heads: 3, tokens: 2, headDim: 5) == x)
    }

    @Test func activationsAtKnownPoints() {
        #expect(abs(ReferenceActivation.gelu(1) - 0.8413447460685429) < 1e-15)
        #expect(abs(ReferenceActivation.gelu(-2) - -0.04550026389635842) < 1e-15)
        #expect(abs(ReferenceActivation.geluNew(1) - 0.8411919906082768) < 1e-15)
        #expect(abs(ReferenceActivation.quickGelu(1) - 0.8457957659328212) < 1e-15)
        for activation in ReferenceActivation.allCases {
            #expect(activation(0) == 0)
            #expect(activation(50) == 50)
            #expect(abs(activation(-50)) < 1e-19)  // silu and mish fall like x e^x, the others faster
        }
    }

    @Test func patchesAreChannelMajor() {
        let pixels = (0..<32).map(Double.init)  // 2 channels of 4 x 4
        let out = patches(pixels, channels: 2, imageSize: 4, patchSize: 2)
        #expect(Array(out[0..<8]) == [0, 1, 4, 5, 16, 17, 20, 21])
        #expect(Array(out[8..<16]) == [2, 3, 6, 7, 18, 19, 22, 23])
        #expect(out.count == 32)
    }

    @Test func metrics() {
        #expect(argmax([1, 3, 3, 2]) == 1)
        #expect(foil([5, 3, 3], target: 0) == 1)
        #expect(foil([5, 3, 3], target: 1) == 0)
        #expect(logitDifference([5, 3], target: 0, foil: 1) == 2)
        #expect(klDivergence(pLogits: [1, 2], qLogits: [11, 12]) == 0)
        // p = (1/2, 1/2), q = (1/4, 3/4): log(2) / 2 + log(2/3) / 2
        let kl = klDivergence(pLogits: [0, 0], qLogits: [0, 1.0986122886681098])
        #expect(abs(kl - 0.14384103622589045) < 1e-15)
        // A probability that underflows stays finite.
        #expect(klDivergence(pLogits: [2000, 0], qLogits: [0, 2000]) == 2000)
        #expect(klDivergence(pLogits: [0, 0], qLogits: [0, -2000]) == 1000 - 0.6931471805599453)
    }
}
