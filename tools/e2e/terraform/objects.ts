import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountMay, type Configuration } from './configuration.ts';

const configuration = (file: string): string => `
resource "aws_s3_bucket" "shelf" {
  bucket        = "terraform-shelf"
  force_destroy = true
  tags          = { team = "blue" }
}
resource "aws_s3_bucket_public_access_block" "shelf" {
  bucket                  = aws_s3_bucket.shelf.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_s3_bucket_ownership_controls" "shelf" {
  bucket = aws_s3_bucket.shelf.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}
resource "aws_s3_bucket_policy" "shelf" {
  bucket = aws_s3_bucket.shelf.id
  policy = ${accountMay('"s3:GetObject"', '"${aws_s3_bucket.shelf.arn}/*"')}
}
resource "aws_s3_object" "settings" {
  bucket       = aws_s3_bucket.shelf.id
  key          = "web/settings.env"
  content      = "MODE=fast"
  content_type = "text/plain"
  metadata     = { made = "here" }
  tags         = { team = "red" }
}
resource "aws_s3_object" "file" {
  bucket = aws_s3_bucket.shelf.id
  key    = "a file"
  source = "${file}"
  etag   = filemd5("${file}")
}
data "aws_s3_object" "settings" {
  bucket = aws_s3_bucket.shelf.id
  key    = aws_s3_object.settings.key
}
data "aws_s3_bucket" "shelf" {
  bucket = aws_s3_bucket.shelf.id
}
`;

/** A bucket, what it is configured with, and objects in it. */
export const objects: Configuration = {
  services: ['s3'],
  resources: (folder) => {
    const file = join(folder, 'object.txt');
    writeFileSync(file, 'a text');
    return configuration(file);
  },
  change: (text) => text.replace('{ team = "blue" }', '{ team = "green" }').replace('"MODE=fast"', '"MODE=slow"'),
  changes: 2,
};
