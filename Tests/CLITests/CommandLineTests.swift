import Foundation
import TestSupport
import Testing

struct CommandLineTests {
    @Test(arguments: [
        "--nope", "--limit 0", "--limit x", "--limit", "--offset=-1", "--offset x", "--window 0", "--window 1.5",
        "--site foo", "--site attn_out+", "--site +", "--direction up", "--corruption foo", "--corruption blur",
        "--corruption blur:0", "--corruption blur:x", "--corruption noise:nan", "--corruption noise:-1",
        "--corruption mask:1.5", "--corruption shuffle:1", "--corruption channel:x", "--corruption grayscale:1",
        "--corruption noise:1,1", "--corruption pair", "--keep x", "--limit -1", "--limit 99999999999999999999",
        "--offset -1", "--shard -1/3",
        "--window 1 --window 1", "--site z --site z", "--site attn_out+attn_out",
        "--direction noise --direction noising",
        "--corruption mask:-0.0", "--corruption blur:1e-320", "--corruption shuffle:16385", "--corruption none",
        "--ablate clean", "--ablate zero --direction restore", "--foil nosuch", "--foil 99", "--foil 1 --target 1",
        "--noise-sd data", "--noise-sd x",
        "--partner other-class", "--partner x --ablate resample", "--target nosuch",
        "--precision fp16x3", "--device 99", "--device 4090", "--offset 9999", "--tokens -1", "--memory -1G",
        "--samples 0", "--seed=-1", "--seed x",
        "--shard 2/2", "--shard=-1/2", "--shard x", "--shard 0/0", "--shard 1", "--memory 0", "--memory x",
        "--memory=-1G", "--memory nan", "--memory 1e30", "--patch-with x", "--gemm x", "--resume",
        "--resume --overwrite --out x", "--layers x", "--layers 0-99", "--layers 1-", "--layers 3-1", "--layers 0,,1",
        "--site z --heads x", "--site z --heads 99", "--heads 0", "--tokens x", "--tokens 999", "--tokens 0+999",
        "--tokens 0:9x0:1", "--neurons 0", "--site mlp_act --neurons x", "--site embed --layers 0",
        "--site embed --window 1", "--precision fp16", "--precision x", "--site pattern --patch-with mean", "extra",
    ])
    func aWrongSweepIsAUsageError(_ options: String) throws {
        try expectUsageError(["sweep"] + options.split(separator: " ").map(String.init))
    }

    @Test(arguments: [
        "frob", "--frob", "export", "export x --format foo", "export x y --format csv", "summary",
        "summary x --format foo", "classify --format x", "classify --limit 0", "classify --corruption noise:1",
        "classify --corruption foo", "classify --memory x", "classify --offset=-3", "verify --seed x",
        "verify --gemm x", "verify --gemm wgmma", "verify --gemm wgmma --precision tf32", "devices --x",
        "devices x", "tune --seconds x", "bench --images 0", "bench --only x",
        "search --precision tf32", "classify --precision fp16", "bench --precision x", "inspect",
        "inspect x --families", "merge x",
        "search --corruption none", "search --corruption mean --corruption noise:1", "search --direction up",
        "search --direction restore --direction noise", "search --layers 99", "classify --limit -1",
        "classify --device 99",
        "compare x", "compare x y --format json",
    ])
    func aWrongCommandIsAUsageError(_ line: String) throws {
        try expectUsageError(line.split(separator: " ").map(String.init))
    }

    /// Empty names
    @Test(arguments: [
        ["sweep", "--out", ""], ["sweep", "--spec", ""], ["sweep", "--groups", ""], ["sweep", "--device", ""],
        ["sweep", "--layers", ""], ["sweep", "--site", ""], ["sweep", "--corruption", ""], ["sweep", "--limit", ""],
        ["export", "x", "--format", "csv", "--to", ""], ["merge", "x", "--out", ""], ["search", "--out", ""],
    ])
    func anEmptyName(_ arguments: [String]) throws {
        try expectUsageError(arguments, naming: [arguments[arguments.count - 2]])
    }

    @Test func theVariableIsNamedToo() throws {
        try expectUsageError(
            ["classify", "--limit", "1"], naming: ["VITPATCH_DEVICE=nosuch: no device matches \"nosuch\""],
            environment: ["VITPATCH_DEVICE": "nosuch"])
        try expectUsageError(["sweep", "--limit", "-1"], naming: ["--limit -1: expected at least 1"])
    }

    /// Shells complete the values of closed sets.
    @Test func completionOffersTheValues() throws {
        let script = try runVitpatch(["--generate-completion-script", "bash"])
        #expect(script.code == 0)
        for values in [
            "restore noise denoise noising", "all clean-correct flipped", "fp32 bf16x3", "packed", "csv jsonl npz",
        ] {
            #expect(script.output.contains(values.split(separator: " ").map { "'\($0)'" }.joined(separator: "$'\\n'")))
        }
    }

    @Test func anUnknownCommandIsNamed() throws {
        #expect(try runVitpatch(["frob"]).errors.hasPrefix("Error: there is no command 'frob'; valid are sweep, "))
    }

    @Test func helpListsOptionsWithTheirDefaults() throws {
        let options = [
            "sweep": [
                "--model", "--donor", "--data", "--corruption", "--direction", "--site", "--window", "--layers",
                "--heads",
                "--tokens", "--patch-with", "--target", "--keep", "--limit", "--offset", "--seed", "--samples",
                "--shard",
                "--device", "--memory", "--out", "--resume", "--overwrite", "--precision", "--profile",
                "(default: grayscale)", "(default: restore)", "--ablate", "--foil",
                "(default: attn_out)", "(default: label)", "(default: runs/<time>", "VITPATCH_DEVICE", "130",
            ],
            "export": ["--format", "--to", "<folder>", "(default: standard output)"],
            "summary": ["<folder>", "--format", "(default: text)"],
            "classify": [
                "--model", "--data", "--corruption", "--format", "(default: none)", "(default: csv)", "--limit",
            ],
            "activations": ["--site", "--layers", "--tokens", "--corruption", "--out", "--overwrite", "--memory"],
            "verify": ["--device", "--seed", "(default: 1)"],
            "devices": [],
        ]
        let commands = try runVitpatch(["--help"])
        #expect(commands.code == 0 && commands.errors == "")
        for (command, words) in options {
            #expect(commands.output.contains("\n  \(command) "))
            for arguments in [[command, "--help"], ["help", command]] {
                let help = try runVitpatch(arguments)
                #expect(help.code == 0 && help.errors == "")
                let text = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                for word in words { #expect(text.contains(word), "\(command) --help lacks \(word)") }
            }
        }
    }

    @Test func saysItsVersion() throws {
        let version = try runVitpatch(["--version"])
        #expect(version.code == 0)
        #expect(version.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
    }

    @Test func devicesShowsTheDefault() throws {
        let result = try runVitpatch(["devices"])
        #expect(result.code == 0 && result.errors == "")
        #expect(result.output.split(separator: "\n").filter { $0.hasPrefix("* ") }.count == 1)
    }

    @Test func nothingIsColouredWithoutATerminal() throws {
        let folder = try TemporaryFolder()
        let result = try runVitpatch(["sweep", "--limit", "2", "--out", folder("out")], environment: ["TERM": "xterm"])
        #expect(result.code == 0)
        #expect(!(result.output + result.errors).contains("\u{1B}") && !result.errors.contains("\r"))
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script(1)"),
        arguments: [false, true])
    func colourAndProgressOnATerminal(_ noColor: Bool) throws {
        let folder = try TemporaryFolder()
        let result = try run(
            URL(fileURLWithPath: "/usr/bin/script"),
            ["-qec", "'\(vitpatch.path)' sweep --limit 2 --out '\(folder("out"))'", "/dev/null"],
            environment: ["NO_COLOR": noColor ? "1" : "", "TERM": "xterm"])
        #expect(result.code == 0)
        #expect(result.output.contains("\u{1B}[") == !noColor, "\(result.output)")
        #expect(result.output.contains("2/2 images") == !noColor)
        #expect(result.output.contains("total effect"))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script(1)"))
    func namesCannotSteerATerminal() throws {
        let folder = try TemporaryFolder()
        let table = try runVitpatch(["classify", "--limit", "4"]).output
        let ids = try Table(table)["image"]
        let rows = ids.enumerated().map { "\($1),\"evil\u{1B}]0;x\u{7}\n\($0 % 2)\"\n" }
        let groups = try folder.write("groups.csv", Data(("image,kind\n" + rows.joined()).utf8))
        _ = try sweep(["--limit", "4", "--layers", "0", "--groups", groups], out: folder("out"))
        for command in ["summary '\(folder("out"))'", "summary '\(folder("out"))' --by kind"] {
            let result = try run(
                URL(fileURLWithPath: "/usr/bin/script"), ["-qec", "'\(vitpatch.path)' \(command)", "/dev/null"],
                environment: ["NO_COLOR": "", "TERM": "xterm"])
            #expect(result.code == 0)
            #expect(!result.output.contains("\u{1B}]") && !result.output.contains("\u{7}"))
            #expect(result.output.contains("evil\\u{1B}]0;x\\u{7}\\n0"), "\(result.output)")
        }
    }

    /// On a terminal the first start says that it compiles kernels; without a terminal there is no message.
    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script(1)"))
    func theFirstStartSaysThatItCompiles() throws {
        let folder = try TemporaryFolder()
        let environment = ["XDG_CACHE_HOME": folder("cache"), "TERM": "xterm"]
        func onATerminal() throws -> String {
            try run(
                URL(fileURLWithPath: "/usr/bin/script"),
                ["-qec", "'\(vitpatch.path)' classify --limit 1", "/dev/null"], environment: environment
            ).output
        }
        #expect(try onATerminal().contains("Compiling kernels for "))
        #expect(try !onATerminal().contains("Compiling kernels"))
        try FileManager.default.removeItem(atPath: folder("cache/vitpatch"))
        #expect(try !runVitpatch(["classify", "--limit", "1"], environment: environment).errors.contains("Compiling"))
    }

    @Test func aFullDiskIsAnErrorAndAClosedPipeIsNone() throws {
        let folder = try TemporaryFolder()
        _ = try sweep(["--limit", "40"], out: folder("out"))
        for command in ["classify", "summary '\(folder("out"))'", "export '\(folder("out"))' --format csv"] {
            let full = try run(shell, ["-c", "'\(vitpatch.path)' \(command) > /dev/full"])
            #expect(full.code == 1, "\(command): \(full.errors)")
            let errors = full.errors.split(separator: "\n").filter {
                $0.hasPrefix("Error: cannot write standard output")
            }
            #expect(errors.count == 1, "\(command): \(full.errors)")
            let closed = try run(shell, ["-c", "'\(vitpatch.path)' \(command) | head -n 1"])
            #expect(closed.code == 0 && closed.output.split(separator: "\n").count == 1)
            #expect(!closed.errors.contains("Error"), "\(command): \(closed.errors)")
        }
    }
}
