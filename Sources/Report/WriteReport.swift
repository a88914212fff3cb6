import Files
import Foundation
import Results

/// Why a report could not be written; one sentence each.
package enum ReportError: Error, Equatable, Sendable, CustomStringConvertible {
    case write(path: String, detail: String)
    case noVectorLibrary(option: String)
    case convert(path: String)

    package var description: String {
        switch self {
        case .write(let path, let detail): "cannot write \(path): \(detail)"
        case .noVectorLibrary(let option):
            "\(option) needs librsvg and cairo (Debian and Ubuntu: librsvg2-2), which are not installed"
        case .convert(let path): "librsvg and cairo could not make \(path)"
        }
    }
}

package struct ReportFiles: Sendable {
    /// report.html
    package var page: String
    package var pageBytes: Int
    /// figures/*.svg
    package var figures: [String]
    /// Names of figure files in the folder that this report did not write, e.g. an earlier report's
    package var others: [String]
}

/// Writes FOLDER/report.html, one self-contained page, and the figures as FOLDER/figures/NAME.svg with their tables as
/// NAME.csv. Other files are left alone. Every file is replaced atomically; the page is written last.
///
/// - Parameters:
///   - images: pictures for the examples; without them the page shows numbers only
///   - thumbnails: small pictures for the cells
///   - cellImages: at most this many images are listed when a heat map's cell is opened; 0: cells do not open
///   - formats: the formats in which every figure is also written, by librsvg
/// - Throws: `ReportError`, `ResultsError`, and what `images` throws
@discardableResult
package func writeReport(
    of store: ResultsStore, to folder: String? = nil, images: ExampleImages? = nil, thumbnails: Thumbnails? = nil,
    cellImages: Int = 0, formats: [PictureFormat] = []
) throws -> ReportFiles {
    let library = formats.isEmpty ? nil : VectorLibrary()
    if let format = formats.first, library == nil { throw ReportError.noVectorLibrary(option: "--\(format)") }
    let page = try ReportPage(store: store, images: images, cellImages: cellImages, thumbnails: thumbnails)
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
        let path = "\(figureFolder)/\(figure.name)", drawing = figure.drawing
        try write(drawing.svg.utf8, to: path + ".svg")
        if let table = figure.table { try write(table.csv.utf8, to: path + ".csv") }
        for format in formats {
            let file = "\(path).\(format)"
            guard
                let bytes = library?.picture(
                    of: drawing.svg, width: drawing.width, height: drawing.height, as: format)
            else { throw ReportError.convert(path: file) }
            try write(bytes, to: file)
        }
        files.figures.append(path + ".svg")
        written.formUnion((["svg", "csv"] + formats.map(\.rawValue)).map { "\(figure.name).\($0)" })
    }
    files.others = ((try? FileManager.default.contentsOfDirectory(atPath: figureFolder)) ?? []).filter { name in
        [".svg", ".csv", ".png", ".pdf"].contains(where: name.hasSuffix) && !written.contains(name)
    }.sorted()
    let html = page.html(formats: formats)
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
