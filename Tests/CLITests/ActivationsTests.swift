import Foundation
import Testing

/// `vitpatch activations`, and `--patch-with file:` with its output.
struct ActivationsTests {
    let folder: TemporaryFolder, model: String, data: String
    init() throws {
        folder = try TemporaryFolder()
        model = try folder.model()
        data = try folder.images()
    }

    private func activations(_ options: String...) throws -> VitpatchResult {
        try runVitpatch(["activations", "--model", model, "--data", data, "--out", folder("a.safetensors")] + options)
    }

    /// Header and values of a .safetensors file
    private func read(_ name: String) throws -> (header: [String: [String: Any]], values: Data) {
        let data = try Data(contentsOf: URL(fileURLWithPath: folder(name)))
        let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: data[8..<(8 + length)])
        return (try #require(header as? [String: [String: Any]]), data[(8 + length)...])
    }

    private func shapes(_ header: [String: [String: Any]]) -> [String: [Int]] {
        header.compactMapValues { $0["shape"] as? [Int] }
    }

    // The model has D 12, 2 heads of 6, M 24, 10 tokens and 3 layers; the data has 10 images.
    @Test func everySiteHasItsShape() throws {
        let sites = ["embed", "resid_post", "mlp_pre", "q", "pattern"]
        let result = try activations(
            "--layers", "0,2", "--corruption", "grayscale", "--limit", "3", "--memory", "1M",
            "--site", sites[0], "--site", sites[1], "--site", sites[2], "--site", sites[3], "--site", sites[4])
        #expect(result.code == 0 && result.output == "", "\(result.errors)")
        #expect(result.errors.contains("3 images, 18 arrays"), "\(result.errors)")
        let (header, _) = try read("a.safetensors")
        let config =
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: model + "/config.json"))) as? [String: Any]
        func size(_ name: String) throws -> Int { try #require(config?[name] as? Int) }
        let (d, m, h) = (
            try size("hidden_size"), try size("intermediate_size"), try size("num_attention_heads")
        )
        var wanted: [String: [Int]] = [:]
        for pass in ["clean", "corrupted"] {
            wanted["\(pass).embed.0"] = [3, 10, d]
            for layer in [0, 2] {
                wanted["\(pass).resid_post.\(layer)"] = [3, 10, d]
                wanted["\(pass).mlp_pre.\(layer)"] = [3, 10, m]
                wanted["\(pass).q.\(layer)"] = [3, h, 10, d / h]
                wanted["\(pass).pattern.\(layer)"] = [3, h, 10, 10]
            }
        }
        #expect(shapes(header) == wanted)
        let metadata = try #require(header["__metadata__"] as? [String: String])
        #expect(metadata["ids"] == #"["ash/0.png","birch/0.png","cedar/0.png"]"#)
        #expect(metadata["model_hash"]?.count == 64 && metadata["data_hash"]?.count == 64)
        #expect(metadata["corruption"] == "grayscale")
    }

    /// Selected tokens are rows of the full arrays; waves of any size give the same bytes.
    @Test func tokensAndWaves() throws {
        #expect(try activations("--site", "resid_mid", "--site", "z").code == 0)
        let whole = try read("a.safetensors"),
            first = try Data(contentsOf: URL(fileURLWithPath: folder("a.safetensors")))
        #expect(try activations("--site", "resid_mid", "--site", "z", "--overwrite", "--memory", "500k").code == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder("a.safetensors"))) == first)
        #expect(try activations("--site", "z", "--tokens", "3,0", "--layers", "1", "--overwrite").code == 0)
        let some = try read("a.safetensors")
        let shape = try #require(shapes(whole.header)["clean.z.1"])
        #expect(shapes(some.header) == ["clean.z.1": [shape[0], shape[1], 2, shape[3]]])
        #expect((some.header["__metadata__"] as? [String: String])?["tokens"] == "[0,3]")
        let offsets = try #require(whole.header["clean.z.1"]?["data_offsets"] as? [Int]), row = shape[3] * 4
        for outer in 0..<(shape[0] * shape[1]) {
            for (index, token) in [0, 3].enumerated() {
                let from = whole.values.startIndex + offsets[0] + (outer * shape[2] + token) * row
                let to = some.values.startIndex + (outer * 2 + index) * row
                #expect(whole.values[from..<(from + row)] == some.values[to..<(to + row)])
            }
        }
    }

    @Test func putBackTheyAreTheCleanPass() throws {
        #expect(try activations("--site", "z", "--site", "mlp_out").code == 0)
        let file = "file:" + folder("a.safetensors")
        let places = ["--model", model, "--data", data, "--site", "z", "--site", "mlp_out", "--tokens", "cls,patches"]
        let usual = try Table(sweep(places, out: folder("usual")))
        let given = try Table(sweep(places + ["--patch-with", file], out: folder("given")))
        #expect(given["p_patched"] == usual["p_patched"])
        #expect(Set(given["p_patched"]).count > 10)
        let own = try Table(sweep(places + ["--patch-with", file, "--direction", "noise"], out: folder("own")))
        #expect(own["p_patched"] == own["p_clean"])
        let summary = try runVitpatch(["summary", folder("given")])
        #expect(summary.code == 0 && summary.output.contains("a.safetensors"), "\(summary.output)\(summary.errors)")
        let report = try runVitpatch(["report", folder("given")])
        #expect(report.code == 0, "\(report.errors)")

        // A resume with another file
        #expect(try activations("--site", "z", "--site", "mlp_out", "--seed", "1", "--overwrite").code == 0)
        try expectFailure(
            ["sweep", "--resume", "--out", folder("given"), "--patch-with", file] + places,
            naming: ["patch-with file is"])
    }

    @Test func aSearchTakesThemToo() throws {
        let demo = folder("demo.safetensors"), file = "file:" + demo
        let made = try runVitpatch(["activations", "--site", "z", "--limit", "24", "--out", demo])
        #expect(made.code == 0, "\(made.errors)")
        let search = ["search", "--limit", "24", "--max", "2", "--until", "9", "--format"]
        let usual = try runVitpatch(search + ["csv"]), found = try runVitpatch(search + ["csv", "--patch-with", file])
        #expect(found.code == 0 && found.output == usual.output, "\(found.errors)")
        let json = try runVitpatch(search + ["json", "--patch-with", file])
        #expect(json.output.contains("demo.safetensors"), "\(json.output)")
        try expectUsageError(search + ["csv", "--patch-with", "mean"], naming: ["--patch-with mean"])
    }

    @Test func whatIsWrongIsSaid() throws {
        try expectUsageError(["activations", "--out", folder("x")], naming: ["--site is missing"])
        try expectUsageError(
            ["activations", "--site", "z+q", "--out", folder("x")], naming: ["--site z+q", "repeat --site"])
        #expect(try activations("--site", "z", "--limit", "2").code == 0)
        let again = try activations("--site", "z")
        #expect(again.code == 1 && again.errors.contains("already exists; --overwrite replaces it"))
        try expectFailure(
            [
                "activations", "--model", model, "--data", data, "--site", "z", "--overwrite", "--out",
                model + "/model.safetensors",
            ], naming: ["model.safetensors"])
        let sweep = ["sweep", "--model", model, "--data", data, "--site", "z", "--out", folder("out"), "--patch-with"]
        let file = folder("a.safetensors")
        try expectFailure(sweep + ["file:" + file], naming: [file, "lack the image cedar/0.png"])
        // Another config.json is another model.
        let other = try folder.model(name: "other")
        try folder.edit("other/config.json", "{", "{ ")
        try expectFailure(
            [
                "sweep", "--data", data, "--model", other, "--limit", "1", "--site", "z", "--out", folder("out"),
                "--patch-with", "file:" + file,
            ], naming: [file, "clean.z.0", "from another model"])
        try expectFailure(sweep + ["file:" + folder("none")], naming: [folder("none")])
        try expectFailure(sweep + ["file:" + file, "--limit", "1", "--site", "q"], naming: [file, "patch.q.0"])
        try expectUsageError(sweep + ["file:"], naming: ["--patch-with file:", "lacks its file"])
        try expectUsageError(sweep + ["filet"], naming: ["--patch-with filet"])
    }
}
