import Foundation
import Testing

struct CommandLineTests {
    @Test(arguments: [
        "--nope", "--limit 0", "--limit x", "--limit", "--offset=-1", "--offset x", "--window 0", "--window 1.5",
        "--site foo", "--site attn_out+", "--site +", "--direction up", "--corruption foo", "--corruption blur",
        "--corruption blur:0", "--corruption blur:x", "--corruption noise:nan", "--corruption noise:-1",
        "--corruption mask:1.5", "--corruption shuffle:1", "--corruption channel:x", "--corruption grayscale:1",
        "--corruption noise:1,1", "--corruption pair", "--target x", "--keep x", "--samples 0", "--seed=-1", "--seed x",
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
        "frob", "--frob", "export", "export x", "export x --format foo", "export x y --format csv", "summary",
        "summary x --format foo", "classify --format x", "classify --limit 0", "classify --corruption noise:1",
        "classify --corruption foo", "classify --memory x", "classify --offset=-3", "verify --seed x",
        "verify --gemm x", "devices --x", "devices x", "tune --seconds x", "bench --images 0", "bench --only x",
        "search --precision tf32", "classify --precision bf16", "bench --precision x",
    ])
    func soIsAWrongCommand(_ line: String) throws {
        try expectUsageError(line.split(separator: " ").map(String.init))
    }

    private func expectUsageError(_ arguments: [String]) throws {
        let result = try runVitpatch(arguments)
        #expect(result.code == 64, "\(arguments): \(result.errors)")
        #expect(result.output == "", "\(arguments)")
        #expect(result.errors.hasPrefix("Error: "), "\(arguments): \(result.errors)")
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
                "(default: grayscale)", "(default: restore)",
                "(default: attn_out)", "(default: label)", "(default: runs/<time>", "VITPATCH_DEVICE", "130",
            ],
            "export": ["--format", "--to", "<folder>", "(default: standard output)"],
            "summary": ["<folder>", "--format", "(default: text)"],
            "classify": ["--model", "--data", "--corruption", "--format", "(default: none)", "(default: csv)"],
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
        try expectFailure(["sweep", "--limit", "1", "--device", "99"], naming: ["\"99\""])
        try expectFailure(
            ["classify", "--limit", "1"], naming: ["\"nosuch\""], environment: ["VITPATCH_DEVICE": "nosuch"])
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
