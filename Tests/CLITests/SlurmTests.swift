import Foundation
import Testing

/// `sweep` in a Slurm job array, on a machine without an OpenCL device: the shard is determined before the device.
struct SlurmTests {
    /// - Parameter variables: SLURM_ARRAY_TASK_ID, _MIN, _MAX, _COUNT, _STEP; nil leaves one unset
    private func sweep(_ variables: [Int?], _ options: [String] = []) throws -> VitpatchResult {
        let names = ["ID", "MIN", "MAX", "COUNT", "STEP"]
        var environment = ["OCL_ICD_VENDORS": FileManager.default.temporaryDirectory.path + "/none/"]
        for (name, value) in zip(names, variables) {
            if let value { environment["SLURM_ARRAY_TASK_\(name)"] = "\(value)" }
        }
        return try runVitpatch(["sweep", "--out", "never-made"] + options, environment: environment)
    }

    @Test(
        arguments: [
            ([0, 0, 3, 4, 1], "0/4"), ([3, 0, 3, 4, 1], "3/4"), ([2, 1, 4, 4, 1], "1/4"), ([5, 1, 7, 4, 2], "2/4"),
            ([6, 6, 6, 1, 1], "0/1"), ([2, 0, nil, 4, nil], "2/4"),
        ] as [([Int?], String)])
    func shardOfATask(_ variables: [Int?], _ shard: String) throws {
        let result = try sweep(variables)
        #expect(result.errors.hasPrefix("shard \(shard) from the Slurm job array\nError: no OpenCL device"))
        #expect(result.code == 1)
    }

    @Test(
        arguments: [
            [1, 1, 4, 3, 1], [4, 1, 4, 3, 1], [2, 0, 4, 3, 1], [5, 0, 3, 4, 1], [0, 0, 3, 4, 0], [4, 0, nil, 4, nil],
            [0, 0, 3, 0, 1], [0, 3, 0, 4, 1],
        ] as [[Int?]])
    func arraysWithGapsAreRefused(_ variables: [Int?]) throws {
        let result = try sweep(variables)
        #expect(result.errors.contains("evenly spaced; make it an array like 0-3, or give --shard I/N"))
        #expect(result.code == 1)
    }

    @Test func theOptionWins() throws {
        // Also for an array with gaps.
        for variables in [[2, 0, 3, 4, 1], [1, 1, 4, 3, 1]] {
            let result = try sweep(variables, ["--shard", "0/1"])
            #expect(result.errors.hasPrefix("Error: no OpenCL device"))
        }
    }

    @Test func incompleteEnvironment() throws {
        #expect(
            try sweep([2]).errors
                == "Error: SLURM_ARRAY_TASK_ID is set, but SLURM_ARRAY_TASK_COUNT is not; give --shard I/N\n")
        #expect(
            try sweep([2, 0, 3, -4, 1]).errors
                == "Error: SLURM_ARRAY_TASK_COUNT=-4 is not a number from 0; give --shard I/N\n")
    }

    @Test func resumeNeedsNoFolderInATask() throws {
        let none = ["OCL_ICD_VENDORS": FileManager.default.temporaryDirectory.path + "/none/"]
        #expect(try runVitpatch(["sweep", "--resume"], environment: none).code == 64)
        let task = ["SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "2"]
        #expect(try runVitpatch(["sweep", "--resume"], environment: none.merging(task) { $1 }).code == 1)
    }
}
