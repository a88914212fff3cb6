import Testing

@testable import Verification

/// The comparison itself: what it accepts and what it catches.
struct ExpectedTests {
    let expected = Expected(values: [1, 0.5, .nan, 3], scales: [0, 2, 0, .infinity])

    @Test func errorsAreRelativeToTheScale() {
        #expect(expected.error(of: [1, 0.5, .poison, 9]) == 0)
        #expect(expected.error(of: [1, 0.75, .poison, 9]) == 0.125)
    }

    @Test(
        arguments: [
            [1.0000001, 0.5, .poison, 3],  // an exact value is off
            [1, .nan, .poison, 3],  // not a number
            [1, 0.5, .nan, 3],  // poison overwritten by another NaN
            [1, 0.5, 0, 3],  // poison overwritten
            [1, 0.5, .poison, .poison],  // not written
            [1, 0.5, .poison],
        ] as [[Float]])
    func wrongOutputsAreCaught(_ output: [Float]) {
        #expect(expected.error(of: output) == .infinity)
    }
}
