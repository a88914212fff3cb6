import Testing

struct VerifyTests {
    @Test func passesOnThisDevice() throws {
        let result = try runVitpatch(["verify", "--gemm", "packed", "--seed", "\(UInt32.random(in: 0 ... .max))"])
        #expect(result.code == 0, "\(result.output)\(result.errors)")
        let lines = result.output.split(separator: "\n")
        let checks = lines.dropFirst().dropLast()
        #expect(lines.first?.hasPrefix("operation ") == true)
        #expect(checks.count > 40 && checks.allSatisfy { $0.hasSuffix("  ok") })
        // The verdicts are aligned in one column.
        #expect(Set(checks.map(\.count)).count == 1)
        #expect(lines.last?.hasPrefix("all \(checks.count) checks passed on ") == true)
    }

    @Test func partsAndSizesCanBeChosen() throws {
        func names(_ options: String...) throws -> [String] {
            let result = try runVitpatch(["verify", "--gemm", "packed"] + options)
            #expect(result.code == 0, "\(result.errors)")
            return result.output.split(separator: "\n").dropFirst().dropLast().map { String($0.prefix { $0 != " " }) }
        }
        let gemms = try names("--only", "gemm"), small = try names("--only", "gemm", "--max-size", "100000")
        #expect(Set(gemms) == ["gemm"] && Set(small) == ["gemm"] && small.count < gemms.count)
        let kernels = try names("--only", "kernel", "--max-size", "3000")
        #expect(kernels.contains("noise") && !kernels.contains("gemm") && !kernels.contains("patched"))
        #expect(try runVitpatch(["verify", "--only", "magic"]).code == 64)
    }

    @Test func anUnknownProviderIsAUsageError() throws {
        let result = try runVitpatch(["verify", "--gemm", "magic"])
        #expect(result.code == 64)
        #expect(result.errors.contains("--gemm magic"))
    }
}
