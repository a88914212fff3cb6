/// One task of a Slurm job array, from its environment variables (slurm.schedmd.com/job_array.html).
struct SlurmTask {
    /// SLURM_ARRAY_TASK_ID
    private let id: String
    private let environment: [String: String]

    /// nil outside of a job array
    init?(environment: [String: String]) {
        guard let id = environment["SLURM_ARRAY_TASK_ID"], !id.isEmpty else { return nil }
        self.id = id
        self.environment = environment
    }

    /// The task's results folder without `--out`: each task has its own, and the same one when Slurm runs the task
    /// again.
    var folder: String { "runs/\(environment["SLURM_ARRAY_JOB_ID"] ?? environment["SLURM_JOB_ID"] ?? "slurm")/\(id)" }

    /// I/N: the task's place among the array's tasks, which must be evenly spaced (`0-3`, `1-4`, `0-6:2`).
    ///
    /// - Throws: `CommandError` for an uneven array (`1,3,4`), whose bounds do not tell a task's place, and for
    ///   variables that no job array has
    func shard() throws -> String {
        let id = try number("SLURM_ARRAY_TASK_ID"), count = try number("SLURM_ARRAY_TASK_COUNT")
        let first = try number("SLURM_ARRAY_TASK_MIN")
        let step = try number("SLURM_ARRAY_TASK_STEP", orElse: 1)
        let last = try number("SLURM_ARRAY_TASK_MAX", orElse: id)
        let isEven =
            step > 0 && count > 0 && (first...max(first, last)).contains(id) && (id - first) % step == 0
            && (environment["SLURM_ARRAY_TASK_MAX"] == nil
                ? (id - first) / step < count : (last - first) % step == 0 && (last - first) / step == count - 1)
        guard isEven else {
            throw CommandError(
                "task \(id) of the Slurm job array cannot tell its shard: \(count) tasks from \(first) to \(last) are not "
                    + "evenly spaced; make it an array like 0-3, or give --shard I/N")
        }
        return "\((id - first) / step)/\(count)"
    }

    private func number(_ name: String, orElse absent: Int? = nil) throws -> Int {
        guard let text = environment[name] else {
            if let absent { return absent }
            throw CommandError("SLURM_ARRAY_TASK_ID is set, but \(name) is not; give --shard I/N")
        }
        guard let value = Int(text), value >= 0 else {
            throw CommandError("\(name)=\(text) is not a number from 0; give --shard I/N")
        }
        return value
    }
}
