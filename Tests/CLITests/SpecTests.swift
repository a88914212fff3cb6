import Foundation
import Testing

/// `sweep --spec` and `--print-spec`, from the command line to the exported bytes.
struct SpecTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("spec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func file(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    /// Runs a sweep that must succeed and returns its exported rows, header first.
    private func export(_ arguments: [String], out: String) throws -> String {
        let sweep = try runVitpatch(["sweep"] + arguments + ["--out", path(out)])
        #expect(sweep.code == 0, "\(arguments): \(sweep.errors)")
        let table = try runVitpatch(["export", path(out), "--format", "csv"])
        #expect(table.code == 0 && table.output.count > 100, "\(table.errors)")
        return table.output
    }

    /// Each row's fields by column; no field of these tables is quoted.
    private func rows(_ table: String) -> [[String: String]] {
        let lines = table.split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        guard let header = lines.first else { return [] }
        return lines.dropFirst().map { Dictionary(zip(header, $0)) { a, _ in a } }
    }

    /// The printed spec describes the same sweep: the same rows, and a manifest that --resume accepts.
    @Test func whatIsPrintedIsTheSameSweep() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let arguments = [
            "--site", "z", "--site", "attn_out+mlp_out", "--direction", "restore", "--direction", "noise", "--heads",
            "0+2,1",
            "--layers", "1,0+3", "--corruption", "noise:0.5,2", "--samples", "2", "--seed",
            "\(UInt32.random(in: 0 ... .max))",
            "--limit", "3", "--offset", "1", "--tokens", "cls,2:4x0:3",
        ]
        let printed = try runVitpatch(
            ["sweep", "--print-spec"] + arguments, environment: ["OCL_ICD_VENDORS": folder.path + "/"])
        #expect(printed.code == 0 && printed.errors == "", "\(printed.errors)")
        let spec = try file("spec.yaml", printed.output)
        #expect(try runVitpatch(["sweep", "--print-spec", "--spec", spec]).output == printed.output)
        let byFlags = try export(arguments, out: "flags")
        #expect(try export(["--spec", spec], out: "file") == byFlags)
        let resumed = try runVitpatch(["sweep", "--spec", spec, "--out", path("flags"), "--resume"])
        #expect(resumed.code == 0 && resumed.errors.contains("6 of 6 images are done already"), "\(resumed.errors)")
    }

    @Test func flagsOverrideTheFile() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let spec = try file("spec.yaml", "site: resid_mid\nlayers: 0,1\nlimit: 9\n")
        let rows = rows(try export(["--spec", spec, "--layers", "3", "--limit", "2"], out: "a"))
        #expect(rows.map { $0["layer"] } == ["3", "3"])
        #expect(rows.map { $0["site"] } == ["resid_mid", "resid_mid"])
    }

    /// Patches written as parts give the same bits as the same patches by flags.
    @Test func partsAreTheFlagsPatches() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let spec = try file(
            "spec.yaml",
            """
            site: z
            heads: 0+2
            layers: 0+2
            limit: 4
            patches:
              - {name: one part, parts: [{site: z, layers: [2, 0], heads: [0, 2]}]}
              - name: four parts
                parts:
                  - {site: z, layers: 0, heads: 0}
                  - {site: z, layers: 2, heads: 0}
                  - {site: z, layers: 2, heads: 2}
                  - {site: z, layers: 0, heads: 2}
              - {name: other heads, parts: [{site: z, layers: 0, heads: [0, 2]}, {site: z, layers: 2, heads: 1}]}
            """)
        let rows = rows(try export(["--spec", spec], out: "a"))
        #expect(rows.count == 16)
        for image in Set(rows.map { $0["image"] }) {
            let p = rows.filter { $0["image"] == image }.map { ($0["site"] ?? "", $0["logit_patched"] ?? "") }
            #expect(p.map(\.0) == ["z", "one part", "four parts", "other heads"])
            #expect(p[1].1 == p[0].1 && p[2].1 == p[0].1 && p[3].1 != p[0].1)
        }
    }

    /// The same names and columns with other parts make another sweep.
    @Test func resumeComparesTheParts() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        func spec(_ head: Int) throws -> String {
            try file("\(head).yaml", "limit: 1\npatches: [{name: a, parts: [{site: z, layers: 0, heads: \(head)}]}]\n")
        }
        _ = try export(["--spec", try spec(0)], out: "a")
        let other = try runVitpatch(["sweep", "--spec", try spec(1), "--out", path("a"), "--resume"])
        #expect(other.code == 1 && other.errors.contains("the spec is"), "\(other.errors)")
    }

    @Test(arguments: ["heads-across-layers", "dose-response", "ablation", "everything"])
    func examplesRun(_ name: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let spec = root.appendingPathComponent("examples/specs/\(name).yaml").path
        #expect(try export(["--spec", spec, "--limit", "2"], out: "a").contains("\n"))
    }

    @Test func exitCodesTellTheFileFromTheCommandLine() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let spec = try file("spec.yaml", "site: z\nlayers: 0,77\n")
        let inFile = try runVitpatch(["sweep", "--spec", spec])
        #expect(inFile.code == 1)
        #expect(inFile.errors == "Error: \(spec):2: layers 0,77: 77 does not exist; the model has 0-5\n")
        let missing = try runVitpatch(["sweep", "--spec", path("none")])
        #expect(missing.code == 1)
        #expect(missing.errors == "Error: the spec \(path("none")) cannot be read: there is no such file\n")
        let flag = try runVitpatch(["sweep", "--spec", spec, "--keep", "some"])
        #expect(
            flag.code == 64
                && flag.errors.hasPrefix("Error: --keep some is unknown; valid are all, clean-correct, flipped\n"))
        #expect(try runVitpatch(["sweep", "--print-spec", "--samples", "0"]).code == 64)
    }
}
