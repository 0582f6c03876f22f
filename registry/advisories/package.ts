/** A package that is part of an image. */
export interface Package {
  /** Type as in package URLs: `deb`, `apk`, `rpm`, `npm`, `pypi`, `golang`, `maven`, `gem`. */
  readonly type: string;
  /** The OSV ecosystem with its release: `Debian:12`, `Alpine:v3.20`, `npm`. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
  /** The source package that distributions' advisories name, where it differs. */
  readonly source?: { readonly name: string; readonly version: string };
  readonly architecture?: string;
  /** The file in the image that says the package is there. */
  readonly path?: string;
}
