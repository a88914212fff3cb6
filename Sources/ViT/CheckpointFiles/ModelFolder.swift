import Formats
import Foundation

/// The location of a model's files.
///
/// `--model` may be a folder with config.json, a model's folder in Hugging Face's cache (`models--owner--name`, whose
/// snapshot is read), or owner/name, which is looked up in that cache.
package struct ModelFolder: Sendable {
    /// The folder with config.json
    package let folder: String
    /// The model's name
    package let name: String
    /// How it was found, one sentence each
    package let notes: [String]

    /// Largest JSON file read, in bytes; an index of a million tensors fits.
    static let jsonLimit = 100_000_000

    /// - Throws: `CheckpointError.file`
    package init(
        _ given: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(CheckpointError) {
        switch fileKind(given) {
        case .folder:
            if let snapshot = try Self.snapshot(of: given) {
                self.init(
                    folder: snapshot, name: Self.modelName(cacheFolder: given) ?? Self.lastComponent(given),
                    notes: [
                        "\(given) is a model in Hugging Face's cache; its snapshot \(Self.lastComponent(snapshot)) is read."
                    ])
            } else {
                self.init(folder: given, name: Self.lastComponent(given), notes: [])
            }
        case .dangling:
            throw CheckpointError.file(path: given, reason: fileKind(given).reason)
        case .file, .other:
            throw CheckpointError.file(
                path: given, reason: "not a folder; a model is a folder with config.json in it")
        case .missing:
            guard given.wholeMatch(of: /[A-Za-z0-9_][A-Za-z0-9._-]*\/[A-Za-z0-9_][A-Za-z0-9._-]*/) != nil else {
                throw CheckpointError.file(path: given, reason: "no such folder")
            }
            let cache = Self.cache(environment)
            let root = "\(cache)/models--\(given.replacing("/", with: "--"))"
            guard case .folder = fileKind(root), let snapshot = try Self.snapshot(of: root) else {
                throw CheckpointError.file(
                    path: given,
                    reason: "no such folder, and no such model in \(cache); `hf download \(given)` downloads it there")
            }
            self.init(folder: snapshot, name: given, notes: ["\(given) is read from \(snapshot)."])
        }
    }

    private init(folder: String, name: String, notes: [String]) {
        (self.folder, self.name, self.notes) = (folder, name, notes)
    }

    /// The snapshot of a model's folder in the cache: that of the branch main, or the only one. nil for other folders.
    private static func snapshot(of folder: String) throws(CheckpointError) -> String? {
        let snapshots = folder + "/snapshots"
        guard case .missing = fileKind(folder + "/config.json"), case .folder = fileKind(snapshots) else { return nil }
        if case .file = fileKind(folder + "/refs/main") {
            let main = String(decoding: try readFile(folder + "/refs/main", limit: 1000), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            if !main.isEmpty, !main.contains("/"), case .folder = fileKind("\(snapshots)/\(main)") {
                return "\(snapshots)/\(main)"
            }
        }
        let all = ((try? FileManager.default.contentsOfDirectory(atPath: snapshots)) ?? []).sorted()
        guard all.count == 1 else {
            throw CheckpointError.file(
                path: folder,
                reason: "a model in Hugging Face's cache with \(all.count) snapshots and no branch main; "
                    + "give one of the folders in \(snapshots)")
        }
        return "\(snapshots)/\(all[0])"
    }

    /// Hugging Face's cache of models, found as in huggingface_hub
    static func cache(_ environment: [String: String]) -> String {
        func value(_ key: String) -> String? { environment[key].flatMap { $0.isEmpty ? nil : $0 } }
        if let hub = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") { return hub }
        if let home = value("HF_HOME") { return home + "/hub" }
        if let cache = value("XDG_CACHE_HOME") { return cache + "/huggingface/hub" }
        return (value("HOME") ?? "") + "/.cache/huggingface/hub"
    }

    private static func lastComponent(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent
    }

    /// models--owner--name -> owner/name
    private static func modelName(cacheFolder: String) -> String? {
        let name = lastComponent(cacheFolder)
        guard name.hasPrefix("models--") else { return nil }
        return String(name.dropFirst("models--".count)).replacing("--", with: "/", maxReplacements: 1)
    }

    // MARK: - Its files

    func path(_ file: String) -> String {
        URL(fileURLWithPath: folder).standardizedFileURL.appendingPathComponent(file).path
    }

    /// Whether an entry of that name exists, including a link whose target is missing
    func has(_ file: String) -> Bool { !fileKind(path(file)).isMissing }

    func json(_ file: String) throws(CheckpointError) -> Data {
        if let pointer = gitLFSPointer(path(file)) { throw pointer }
        return try readFile(path(file), limit: Self.jsonLimit)
    }

    /// The file that describes image preprocessing: processor_config.json if it has an image_processor, otherwise
    /// preprocessor_config.json, as in transformers; then config.json if it has timm's pretrained_cfg. nil where there
    /// is none.
    func preprocessor() throws(CheckpointError) -> (file: String, contents: Data)? {
        if has("processor_config.json") {
            let contents = try json("processor_config.json")
            if JSONMembers(contents)?["image_processor"]?.object != nil { return ("processor_config.json", contents) }
        }
        guard has("preprocessor_config.json") else {
            // timm keeps it in config.json.
            let config = try json("config.json")
            return JSONMembers(config)?["pretrained_cfg"]?.object == nil ? nil : ("config.json", config)
        }
        return ("preprocessor_config.json", try json("preprocessor_config.json"))
    }
}
