import Testing

struct VerifyTests {
    @Test func passesOnThisDevice() throws {
        let result = try runVitpatch(["verify", "--gemm", "packed", "--seed", "\(UInt32.random(in: 0 ... .max))"])
        #expect(result.code == 0, "\(result.output)\(result.errors)")
        let lines = result.output.split(separator: "\n")
        let checks = lines.dropFirst().dropLast()
        #expect(lines.first?.hasPrefix("operation ") == true)
        #expect(checks.count > 40 && checks.allSatisfy { $0.hasSuffix("  ok") })
        // The verdicts stand in one column.
        #expect(Set(checks.map(\.count)).count == 1)
        #expect(lines.last?.hasPrefix("all \(checks.count) checks passed on ") == true)
    }

    @Test func anUnknownProviderIsAUsageError() throws {
        let result = try runVitpatch(["verify", "--gemm", "magic"])
        #expect(result.code == 64)
        #expect(result.errors.contains("--gemm magic"))
    }
}
