#if canImport(Glibc)
    import Glibc
#else
    import Foundation
#endif

/// The class probabilities of one row of logits [C].
package func probabilities(_ logits: [Double]) -> [Double] {
    softmax(logits, width: logits.count)
}

/// logit[target] - logit[foil]
package func logitDifference(_ logits: [Double], target: Int, foil: Int) -> Double {
    logits[target] - logits[foil]
}

/// logit[target] - logsumexp(the other logits) = log(p / (1 - p)); 0 if there is a single class
package func logOdds(_ logits: [Double], target: Int) -> Double {
    let others = logits.indices.filter { $0 != target }.map { logits[$0] }
    guard let largest = others.max() else { return 0 }
    return logits[target] - largest - log(others.reduce(0) { $0 + exp($1 - largest) })
}

/// KL(p || q) in nats, the sum of p log(p / q), where p and q are given by their logits [C].
package func klDivergence(pLogits: [Double], qLogits: [Double]) -> Double {
    precondition(pLogits.count == qLogits.count)
    let p = probabilities(pLogits)
    let logP = logProbabilities(pLogits)
    let logQ = logProbabilities(qLogits)
    var sum = 0.0
    for i in p.indices where p[i] > 0 {
        sum += p[i] * (logP[i] - logQ[i])
    }
    return sum
}

/// The logarithms of `probabilities`, finite even where a probability underflows.
package func logProbabilities(_ logits: [Double]) -> [Double] {
    let largest = logits[argmax(logits)]
    var sum = 0.0
    for logit in logits {
        sum += exp(logit - largest)
    }
    return logits.map { $0 - largest - log(sum) }
}

/// The index of the largest value, the first one in a tie.
package func argmax(_ values: [Double]) -> Int {
    precondition(!values.isEmpty)
    var best = 0
    for i in values.indices where values[i] > values[best] {
        best = i
    }
    return best
}

/// The most likely class other than `target`, the first one in a tie.
package func foil(_ logits: [Double], target: Int) -> Int {
    var others = logits
    others[target] = -.infinity
    return argmax(others)
}
