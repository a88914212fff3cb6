import Foundation
import Testing

/// `sweep --groups` and `summary --by` on the demo.
@Suite(.serialized) struct GroupsCommandTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"

    private func sweep(_ groups: String) throws -> VitpatchResult {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(groups.utf8).write(to: URL(fileURLWithPath: folder + "/groups.csv"))
        return try runVitpatch([
            "sweep", "--gemm", "packed", "--limit", "12", "--window", "1", "--groups", folder + "/groups.csv", "--out",
            folder + "/run", "--overwrite",
        ])
    }

    @Test func groupsAreInTheSummary() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ids = try runVitpatch(["classify", "--gemm", "packed", "--limit", "8"]).output
            .split(separator: "\n").dropFirst().compactMap { $0.split(separator: ",").first }
        let result = try sweep(
            "image,half\nnot there,x\n" + ids.enumerated().map { "\($1),\($0 % 2 == 0 ? "even" : "odd")\n" }.joined())
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("Warning: ") && result.errors.contains("1 of its images are not in the data"))
        #expect(result.output.contains("by half, corruption grayscale") && result.output.contains("even - odd"))

        let summary = try runVitpatch(["summary", folder + "/run"]).output
        #expect(result.output.hasPrefix(summary))
        #expect(try runVitpatch(["summary", folder + "/run", "--by", "half"]).output == summary)
        let classes = try runVitpatch(["summary", folder + "/run", "--by", "class"]).output
        #expect(classes.hasPrefix(summary) && classes.contains("by class, corruption grayscale"))
        let csv = try runVitpatch(["summary", folder + "/run", "--by", "half", "--format", "csv"]).output.split(
            separator: "\n")
        #expect(csv.first?.hasPrefix("corruption,group,value,direction,site,") == true)
        #expect(
            csv.dropFirst().allSatisfy { $0.hasPrefix("grayscale,half,even,") || $0.hasPrefix("grayscale,half,odd,") })
        #expect(csv.count > 4)
        let unknown = try runVitpatch(["summary", folder + "/run", "--by", "age"])
        #expect(unknown.code == 64 && unknown.errors == "Error: --by age: the sweep has class, half\n")
    }

    @Test func aFileOfOtherImagesIsRefusedBeforeTheSweep() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let result = try sweep("image,half\nother,x\n")
        #expect(result.code == 1)
        #expect(result.errors.contains("groups.csv") && result.errors.contains("none of its 1 images is in the data"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
    }
}
