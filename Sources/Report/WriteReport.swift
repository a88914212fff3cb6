import Files
import Foundation
import Results

/// Why a report could not be written; one sentence each.
package enum ReportError: Error, Equatable, Sendable, CustomStringConvertible {
    case write(path: String, detail: String)
    case noConverter
    case convert(path: String, detail: String)

    package var description: String {
        switch self {
        case .write(let path, let detail): "cannot write \(path): \(detail)"
        case .noConverter: "--png needs the program rsvg-convert (Debian: librsvg2-bin), which is not in the PATH"
        case .convert(let path, let detail): "rsvg-convert cannot read \(path): \(detail)"
        }
    }
}

package struct ReportFiles: Sendable {
    /// report.html
    package var page: String
    package var pageBytes: Int
    /// figures/*.svg
    package var figures: [String]
    /// Names of figures in the folder that are not this report's: those of an earlier one, say
    package var others: [String]
}

/// Writes FOLDER/report.html, one page that needs nothing else, and the figures as FOLDER/figures/NAME.svg with their
/// tables as NAME.csv. Other files are left alone. Every file appears whole or is what it was; the page comes last.
///
/// - Parameters:
///   - images: pictures for the examples; without them the page shows numbers only
///   - png: NAME.png too, by `rsvg-convert`
/// - Throws: `ReportError`, `ResultsError`, and what `images` throws
@discardableResult
package func writeReport(
    of store: ResultsStore, to folder: String? = nil, images: ExampleImages? = nil, png: Bool = false
) throws -> ReportFiles {
    let converter = png ? findProgram("rsvg-convert") : nil
    if png, converter == nil { throw ReportError.noConverter }
    let page = try ReportPage(store: store, images: images)
    let folder = folder ?? store.folder
    let figureFolder = folder + "/figures"
    func write(_ bytes: some Collection<UInt8>, to path: String) throws {
        do throws(FileError) {
            try AtomicFile.write(bytes, to: path, keeping: ResultsStore.files(in: store.folder))
        } catch { throw ReportError.write(path: path, detail: error.reason) }
    }
    if FileManager.default.fileExists(atPath: figureFolder), !isFolder(figureFolder) {
        throw ReportError.write(path: figureFolder, detail: "a file has the name of the folder")
    }
    do {
        try FileManager.default.createDirectory(atPath: figureFolder, withIntermediateDirectories: true)
    } catch {
        throw writeError(error, path: figureFolder)
    }
    var files = ReportFiles(page: folder + "/report.html", pageBytes: 0, figures: [], others: [])
    var written: Set<String> = []
    for figure in page.figures {
        let path = "\(figureFolder)/\(figure.name)"
        try write(figure.file.utf8, to: path + ".svg")
        if let table = figure.table { try write(table.csv.utf8, to: path + ".csv") }
        if let converter { try write(picture(path + ".svg", by: converter), to: path + ".png") }
        files.figures.append(path + ".svg")
        written.formUnion((["svg", "csv"] + (png ? ["png"] : [])).map { "\(figure.name).\($0)" })
    }
    files.others = ((try? FileManager.default.contentsOfDirectory(atPath: figureFolder)) ?? []).filter { name in
        [".svg", ".csv", ".png"].contains(where: name.hasSuffix) && !written.contains(name)
    }.sorted()
    let html = page.html()
    try write(html.utf8, to: files.page)
    files.pageBytes = html.utf8.count
    return files
}

private func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}

private func writeError(_ error: any Error, path: String) -> ReportError {
    let detail =
        switch (error as? CocoaError)?.code {
        case .fileWriteNoPermission, .fileWriteVolumeReadOnly: "read-only file, folder or file system"
        case .fileWriteOutOfSpace: "the disk is full"
        default: isFolder(path) ? "a folder has that name" : error.localizedDescription
        }
    return .write(path: path, detail: detail)
}

private func findProgram(_ name: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}

/// The figure as PNG, twice the size in pixels, for print and sharp screens.
private func picture(_ path: String, by program: String) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["--zoom", "2", path]
    let output = Pipe(), errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    do {
        try process.run()
    } catch {
        throw ReportError.convert(path: path, detail: error.localizedDescription)
    }
    // A message is shorter than what a pipe holds.
    let picture = output.fileHandleForReading.readDataToEndOfFile()
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ReportError.convert(
            path: path, detail: message.split(separator: "\n").first.map(String.init) ?? "it failed")
    }
    return picture
}
